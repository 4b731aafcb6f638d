"""Tokens of our own."""

from __future__ import annotations

import hashlib

import pytest

from voc_stream.security.grants import SCOPES, granted
from voc_stream.security.tokens import new_token, parse_token


def test_a_token_has_a_key_a_secret_of_128_bits_and_a_prefix_that_can_be_searched_for() -> None:
    token = new_token()
    assert token.text == f"voc_{token.key}.{token.secret}"
    assert parse_token(token.text) == token
    assert len(token.secret) == 22  # 16 bytes in base64url
    assert len({new_token().text for _ in range(100)}) == 100


def test_only_the_secret_s_digest_proves_it() -> None:
    token = new_token()
    assert token.digest == hashlib.sha256(token.secret.encode()).digest()
    assert token.proves(token.digest)
    assert not token.proves(new_token().digest)


def test_a_token_s_repr_does_not_tell_its_secret() -> None:
    token = new_token()
    assert token.secret not in repr(token)


@pytest.mark.parametrize(
    "text",
    ["", "voc_", "voc_.", "voc_abc.def", "x" * 44,
     "voc_" + "a" * 16 + "." + "b" * 23, "voc_" + "a" * 16 + "." + "b" * 21, "voc_" + "a" * 16 + "b" * 22,
     "voc_" + "ä" * 16 + "." + "b" * 22, " voc_" + "a" * 16 + "." + "b" * 22, "voc_" + "a" * 16 + "." + "b" * 22 + "\n"],
)  # fmt: skip
def test_what_is_no_token_is_none(text: str) -> None:
    assert parse_token(text) is None


def test_admin_may_all_operate_and_original_may_read_and_what_is_unknown_may_nothing() -> None:
    assert granted(["admin"]) == set(SCOPES)
    assert granted(["operate"]) == {"operate", "read"}
    assert granted(["original"]) == {"original", "read"}
    assert granted(["read"]) == {"read"}
    assert granted(["root", ""]) == granted([]) == frozenset()
