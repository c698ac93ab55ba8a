"""One server has one key, however its address is written."""

from __future__ import annotations

import pytest

from synapse_stream.log.url import server_key


@pytest.mark.parametrize(
    "spelled",
    [
        "redis://localhost",
        "redis://localhost:6379/",
        "redis://127.0.0.1:6379/0",
        "redis://127.0.1.1/00",
        "redis://[::1]",
        "redis://[0:0:0:0:0:0:0:1]:6379/0",
        "redis://LocalHost.:6379",
        "redis://user:secret@localhost/0",
        "redis://:se%2Fcret@localhost",
        "rediss://localhost?ssl_cert_reqs=none",
    ],
)
def test_spellings_of_one_server_are_the_same(spelled: str) -> None:
    assert server_key(spelled) == server_key("redis://127.0.0.1:6379")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("redis://h", "redis://h:6380"),
        ("redis://h/0", "redis://h/1"),
        ("redis://h", "redis://g"),
        ("unix:///a", "unix:///b"),
        ("redis://a,b", "redis+cluster://a,b"),
        ("redis+sentinel://a/m", "redis+sentinel://a/n"),
        ("embedded in /a", "embedded in /b"),
    ],
)
def test_other_servers_are_others(one: str, other: str) -> None:
    assert server_key(one) != server_key(other)


def test_nodes_are_a_set() -> None:
    assert server_key("redis+cluster://a,b:6379") == server_key("redis+cluster://b,a")
