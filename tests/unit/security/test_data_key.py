"""A customer's data key opens what it sealed, for the place it was sealed for, and nobody else does."""

from __future__ import annotations

import pytest

from voc_stream.security.data_key import DataKey, key_id_of, owner_of
from voc_stream.security.vault import NoKeyError, SealError, Vault

OLD, NEW = Vault({"a": bytes(32), "b": b"1" * 32}, "a"), Vault({"a": bytes(32), "b": b"1" * 32}, "b")
PLACE = ("acme", "customer_pii", "udfs", "c1")


def test_a_sealed_text_names_its_key_and_opens_with_it_at_its_place_only() -> None:
    key = DataKey.new("acme", "ref")
    sealed = key.seal("name=Jane", bound_to=PLACE)
    assert key_id_of(sealed) == key.key_id
    assert key.open(sealed, bound_to=PLACE) == "name=Jane"
    for other, place in ((key, ("globex", *PLACE[1:])), (DataKey.new("acme", "ref"), PLACE)):
        with pytest.raises(SealError):
            other.open(sealed, bound_to=place)
    assert "Jane" not in sealed + repr(key)


def test_a_wrapped_key_opens_for_its_tenant_and_owner_only() -> None:
    key = DataKey.new("acme", "ref")
    wrapped = key.wrapped(OLD)
    assert DataKey.unwrap(OLD, key.key_id, "acme", "ref", wrapped) == key
    for tenant, owner in (("globex", "ref"), ("acme", "other")):
        with pytest.raises(SealError):
            DataKey.unwrap(OLD, key.key_id, tenant, owner, wrapped)


def test_a_key_that_is_wrapped_anew_is_the_same_and_the_old_one_is_not_needed_any_more() -> None:
    key = DataKey.new("acme", "ref")
    rewrapped = DataKey.unwrap(NEW, key.key_id, "acme", "ref", key.wrapped(OLD)).wrapped(NEW)
    only_new = Vault({"b": b"1" * 32}, "b")
    assert DataKey.unwrap(only_new, key.key_id, "acme", "ref", rewrapped) == key
    with pytest.raises(NoKeyError, match="'a'"):
        DataKey.unwrap(only_new, key.key_id, "acme", "ref", key.wrapped(OLD))


def test_a_call_whose_other_party_is_not_known_owns_itself() -> None:
    assert (owner_of("ref", "c1"), owner_of("", "c1")) == ("ref", "call:c1")
