"""Which ports the parts take."""

from __future__ import annotations

import socket

import pytest

from voc_stream.devstack.ports import DEFAULT_PORTS, choose, is_free


def test_free_documented_ports_are_taken_without_a_word() -> None:
    said: list[str] = []
    assert choose(["kafka", "s3"], said.append, free=lambda _: True) == {"kafka": 9092, "s3": 9000}
    assert said == []


def test_a_taken_port_is_replaced_by_another_and_said_aloud() -> None:
    said: list[str] = []
    chosen = choose(["postgres"], said.append, free=lambda port: port != 5432)
    assert chosen["postgres"] not in DEFAULT_PORTS.values()
    assert said == [f"postgres    port 5432 is taken: using {chosen['postgres']}"]


def test_no_two_parts_share_a_port() -> None:
    chosen = choose(DEFAULT_PORTS, lambda _: None, prefer_defaults=False, free=lambda _: True)
    assert len(set(chosen.values())) == len(DEFAULT_PORTS)


def test_another_port_is_never_one_that_clients_use_as_their_source() -> None:
    chosen = choose(DEFAULT_PORTS, lambda _: None, prefer_defaults=False, free=lambda _: True)
    assert all(20_000 <= port < 32_000 for port in chosen.values())


def test_without_any_free_port_it_says_so() -> None:
    with pytest.raises(OSError, match="no free port"):
        choose(["s3"], lambda _: None, free=lambda _: False)


def test_a_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)
