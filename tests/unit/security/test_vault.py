"""Personal data: what is sealed opens in its place only, and pseudonyms tell nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voc_stream.security.vault import NoKeyError, SealError, Vault, in_customer_pii, on_the_wire

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
PLACE = in_customer_pii("acme", "udfs", "c1")


@pytest.fixture
def vault() -> Vault:
    return Vault({"k1": OLD, "k2": NEW}, "k2")


@given(text=st.text(st.characters()), key_id=st.text(st.characters(exclude_characters=":,", codec="utf-8"), min_size=1, max_size=12))
def test_what_is_sealed_opens_again(text: str, key_id: str) -> None:
    vault = Vault({key_id: OLD}, key_id)
    assert vault.open(vault.seal(text, bound_to=PLACE), bound_to=PLACE) == text


def test_sealed_text_names_its_key_and_hides_the_rest(vault: Vault) -> None:
    sealed = vault.seal("card=4111111111111111", bound_to=PLACE)
    assert sealed.startswith("v1.k2.")
    assert "4111" not in sealed


def test_the_same_text_sealed_twice_looks_different(vault: Vault) -> None:
    assert vault.seal("x", bound_to=PLACE) != vault.seal("x", bound_to=PLACE)


@pytest.mark.parametrize(
    "elsewhere",
    [
        in_customer_pii("globex", "udfs", "c1"),
        in_customer_pii("acme", "other_parties", "c1"),
        in_customer_pii("acme", "udfs", "c2"),
        on_the_wire("c1"),
        ("acmecustomer_pii", "udfs", "c1"),
        ("acme", "customer_pii", "udfsc1"),
        (),
    ],
)
def test_sealed_text_does_not_open_in_another_place(vault: Vault, elsewhere: tuple[str, ...]) -> None:
    sealed = vault.seal("x", bound_to=PLACE)
    with pytest.raises(SealError, match="belongs to another row or column"):
        vault.open(sealed, bound_to=elsewhere)


@given(first=st.lists(st.text(max_size=3), max_size=4), second=st.lists(st.text(max_size=3), max_size=4))
def test_two_places_are_never_confused(first: list[str], second: list[str]) -> None:
    vault = Vault({"k1": OLD}, "k1")
    sealed = vault.seal("x", bound_to=tuple(first))
    if first == second:
        assert vault.open(sealed, bound_to=tuple(second)) == "x"
    else:
        with pytest.raises(SealError):
            vault.open(sealed, bound_to=tuple(second))


@given(data=st.data())
def test_altered_text_does_not_open(data: st.DataObject) -> None:
    vault = Vault({"k1": OLD}, "k1")
    sealed = vault.seal("a customer", bound_to=PLACE)
    index = data.draw(st.integers(0, len(sealed) - 2))  # the last character holds bits that base64 does not use
    # Which letter stands there differs from run to run (the nonce does), and what is drawn must not.
    first, second = data.draw(st.permutations("ABCxyz019-_.").map(lambda letters: letters[:2]))
    letter = first if first != sealed[index] else second
    with pytest.raises((SealError, NoKeyError)):
        vault.open(sealed[:index] + letter + sealed[index + 1 :], bound_to=PLACE)


@given(st.text())
def test_text_that_was_never_sealed_is_refused_as_such(text: str) -> None:
    with pytest.raises((SealError, NoKeyError)):
        Vault({"k1": OLD}, "k1").open(text, bound_to=PLACE)


def test_an_old_key_opens_and_the_current_one_seals(vault: Vault) -> None:
    before = Vault({"k1": OLD}, "k1").seal("x", bound_to=PLACE)
    assert vault.open(before, bound_to=PLACE) == "x"
    assert vault.seal("x", bound_to=PLACE).startswith("v1.k2.")


def test_a_key_that_is_gone_is_named(vault: Vault) -> None:
    sealed = vault.seal("x", bound_to=PLACE)
    with pytest.raises(NoKeyError, match="PII_KEYS has no key 'k2'"):
        Vault({"k1": OLD}, "k1").open(sealed, bound_to=PLACE)


def test_another_key_of_the_same_name_does_not_open(vault: Vault) -> None:
    sealed = vault.seal("x", bound_to=PLACE)
    with pytest.raises(SealError):
        Vault({"k2": OLD}, "k2").open(sealed, bound_to=PLACE)


def test_without_a_key_nothing_is_sealed_and_the_line_names_the_setting() -> None:
    keyless = Vault({}, "")
    one_line = r"^vault: PII_KEYS is not set: customer data is never stored in the clear$"
    with pytest.raises(NoKeyError, match=one_line):
        keyless.seal("x", bound_to=PLACE)
    with pytest.raises(NoKeyError, match=one_line):
        keyless.reference("x", "acme")


def test_a_pseudonym_is_stable_for_a_tenant_when_keys_are_added(vault: Vault) -> None:
    assert vault.reference("+14155550123", "acme") == Vault({"k1": OLD}, "k1").reference("+14155550123", "acme")


def test_a_pseudonym_differs_by_value_tenant_and_key(vault: Vault) -> None:
    pseudonyms = {
        vault.reference("+14155550123", "acme"),
        vault.reference("+14155550124", "acme"),
        vault.reference("+14155550123", "globex"),
        Vault({"k2": NEW}, "k2").reference("+14155550123", "acme"),
    }
    assert len(pseudonyms) == 4
    assert all(len(pseudonym) == 32 and "4155550123" not in pseudonym for pseudonym in pseudonyms)


def test_nobody_has_no_pseudonym_and_needs_no_key() -> None:
    assert not Vault({}, "").reference("", "acme")


async def test_a_key_that_was_missed_keeps_the_vault_unwell_until_a_restart() -> None:
    old, new = Vault({"old": b"o" * 32}, "old"), Vault({"new": b"n" * 32}, "new")
    sealed = old.seal("secret", bound_to=("row",))
    await new.probe()
    with pytest.raises(NoKeyError):
        new.open(sealed, bound_to=("row",))
    with pytest.raises(NoKeyError, match="'old'"):
        await new.probe()
