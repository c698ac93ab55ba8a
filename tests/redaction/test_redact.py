from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from synapse_stream.events.types import DevEvent, parse
from synapse_stream.redaction import body as redaction_body
from synapse_stream.redaction import looks_secret, redact

redact_body = redaction_body.redact_body

SECRET = "hunter2"


class Point(NamedTuple):
    x: int
    token: str


@dataclass
class Login:
    user: str
    password: str


class Params(BaseModel):
    epochs: int = 2
    login: Login
    api_key: SecretStr = SecretStr(SECRET)


@pytest.mark.parametrize(
    "name",
    [
        "password", "Password", "db_password", "dbPassword", "DBPASSWORD", "PASSWD", "pwd", "pass",
        "userpwd", "secret", "client-secret", "client.secret", "token", "auth_token", "authToken",
        "access_tokens", "HF_TOKEN", "apitoken", "api_key", "apikey", "API-KEY", "APIKey", "cookie",
        "x-api-key", "access_key", "AWS_SECRET_ACCESS_KEY", "credential", "credentials", "jwt",
        "authorization", "Authorization", "private_key", "PrivateKey", "set-cookie", "auth",
        "passphrase", "connectionString", "ssh_key", "비밀번호",
    ],
)  # fmt: skip
def test_a_name_that_looks_secret_hides_its_value(name: str) -> None:
    assert redact({name: SECRET, "epochs": 3}) == {name: "***", "epochs": 3}


@pytest.mark.parametrize(
    "name",
    [
        "epochs", "author", "tokenizer", "key", "primary_key", "path", "bypass", "keyboard",
        "monkey", "passed", "compass", "hotpot",
    ],
)  # fmt: skip
def test_other_names_hide_nothing(name: str) -> None:
    assert not looks_secret(name)
    assert redact({name: "value"}) == {name: "value"}


def test_counts_flags_and_nothing_are_no_secrets() -> None:
    params = {"max_tokens": 4096, "use_auth_token": True, "password": None}

    assert redact(params) == params
    assert redact({"tokens": "abc", "password": 1234}) == {"tokens": "***", "password": "***"}


def test_secrets_are_found_at_any_depth_in_any_shape() -> None:
    params = Params(login=Login("kim", SECRET))
    value = {
        "list": [{"token": SECRET}, (1, {"secret": SECRET})],
        "model": params,
        "point": Point(1, SECRET),
        "mapping": OrderedDict(cookie=SECRET),
        "inner": {"credentials": {"user": "kim"}},
    }

    found = redact(value)

    assert SECRET not in repr(found)
    assert found["list"] == [{"token": "***"}, [1, {"secret": "***"}]]
    assert found["model"] == {
        "epochs": 2,
        "login": {"user": "kim", "password": "***"},
        "api_key": "***",
    }
    assert found["point"] == {"x": 1, "token": "***"}
    assert found["inner"] == {"credentials": "***"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hunter2@host:6379/0", "redis://:***@host:6379/0"),
        ("postgresql+psycopg://kim:hunter2@host/db", "postgresql+psycopg://kim:***@host/db"),
        ("at https://kim:hun/ter2@host/x now", "at https://kim:***@host/x now"),
        ("https://hunter2@host/x", "https://***@host/x"),
        ("https://host/x?api_key=hunter2&n=1", "https://host/x?api_key=***&n=1"),
        ("https://host/x?sig=hunter2", "https://host/x?sig=***"),
        ("host=db password=hunter2 user=kim", "host=db password=*** user=kim"),
        ("Server=db;Pwd=hunter2;User=kim", "Server=db;Pwd=***;User=kim"),
        ('{"password": "hunter2 and more"}', '{"password": "***"}'),
        ("Authorization: Basic hunter2==", "Authorization: ***"),
        ("bearer hunter2hunter2", "bearer ***"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhunter2", "***"),
        ("https://host:8080/path", "https://host:8080/path"),
        ("s3://bucket/model@v1", "s3://bucket/model@v1"),
        ("mail kim@host about the token", "mail kim@host about the token"),
        ("plain — 한국어", "plain — 한국어"),
    ],
)
def test_secrets_within_text_are_masked(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact({"url": [text]}) == {"url": [shown]}


def test_names_are_looked_through_as_well() -> None:
    assert redact({"redis://:hunter2@host": 1}) == {"redis://:***@host": 1}


def test_plain_values_come_through() -> None:
    class Color(Enum):
        RED = "red"

    class Level(IntEnum):
        LOW = 1

    when = datetime(2026, 1, 1, tzinfo=UTC)
    value = {
        "none": None, "bool": True, "int": 3, "float": 0.5, "decimal": Decimal("1.5"),
        "path": Path("/data"), "when": when, "numpy": np.float32(0.5), 7: "number as a name",
    }  # fmt: skip

    assert redact(value) == {str(name): item for name, item in value.items()}
    assert redact([Color.RED, Level.LOW, {"b"}]) == ["red", 1, ["b"]]


def test_what_cannot_be_looked_into_is_hidden() -> None:
    class Client:
        token = SECRET

    cyclic: list[Any] = []
    cyclic.append(cyclic)

    assert redact({"client": Client(), "raw": b"hunter2", "array": np.zeros(3), "f": len}) == {
        "client": "***",
        "raw": "***",
        "array": "***",
        "f": "***",
    }
    assert "***" in repr(redact(cyclic))
    assert redact("x" * 1_000_000) == "***"


def test_a_value_that_raises_hides_only_itself() -> None:
    class Hostile(Mapping[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise RuntimeError(SECRET)

        def __iter__(self) -> Iterator[str]:
            raise RuntimeError(SECRET)

        def __len__(self) -> int:
            raise RuntimeError(SECRET)

    class Name:
        def __str__(self) -> str:
            raise RuntimeError(SECRET)

    assert redact({"a": Hostile(), "b": 1}) == {"a": "***", "b": 1}
    assert redact({"a": {Name(): 1}, "b": 1}) == {"a": "***", "b": 1}


def test_what_is_given_is_not_changed() -> None:
    params = {"password": SECRET, "inner": {"token": SECRET}}

    redact(params)

    assert params == {"password": SECRET, "inner": {"token": SECRET}}


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.frozensets(st.text()),
    max_leaves=20,
)


@given(json_like, st.sampled_from(["password", "api_key", "Authorization"]))
def test_no_value_under_a_secret_name_is_ever_shown(value: Any, name: str) -> None:
    hidden = "\N{SNOWMAN}".join(["secret", "marker"])
    found = redact([{"around": value, name: hidden}])

    assert hidden not in repr(found)


@given(st.text(alphabet="ab:/@.-=&token ", max_size=2_000))
def test_no_text_makes_the_search_raise(text: str) -> None:
    assert isinstance(redact(text), str)


@pytest.mark.parametrize("kind", ["log", "message", "metrics"])
def test_a_report_that_cannot_be_looked_through_is_an_event_that_views_take(kind: str) -> None:
    body = redact_body(b'"type":"%b","v":1,"password":broken}' % kind.encode())
    event = parse(b'{"seq":0,"time":0,' + body)
    assert isinstance(event, DevEvent)
    assert (event.message, event.rejected) == (f"{kind}: ***", 1)


KNOWN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"  # GitHub's example of a token


def body(text: str, event: str = "upload_data_file_of_the_plugin") -> bytes:
    return b'"type":"log","v":1,"event":"%b","data":{"text":"%b"}}' % (
        event.encode(),
        text.encode(),
    )


def test_names_that_come_again_and_again_let_no_key_beside_them_through() -> None:
    for _ in range(3):
        assert redact_body(body("fine")) == body("fine")

    assert KNOWN.encode() not in redact_body(body(KNOWN))
    assert KNOWN.encode() not in redact_body(body(KNOWN, event=KNOWN))
    assert b"hunter2" not in redact_body(body("password=hunter2"))


def test_what_was_let_through_once_is_looked_at_where_it_may_have_been_cut() -> None:
    piece = "a1B2" * 10
    assert redact_body(body(piece)) == body(piece)

    cut = b'"type":"log","v":1,"data":{"head":"x %b","tail":"y"},"truncated":{}}' % piece.encode()
    assert piece.encode() not in redact_body(cut)


def test_not_all_that_was_let_through_is_remembered() -> None:
    for number in range(2_000):
        redact_body(body(f"harmless_number_{number}"))
    redact_body(body("x" * 1_000))

    assert len(redaction_body._let_through) <= 1_100
    assert max(map(len, redaction_body._let_through)) <= 64
