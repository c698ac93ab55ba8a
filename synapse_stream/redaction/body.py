"""The door: no event passes with a secret in any of its fields.

An encoded event in which nothing can be a secret passes at the cost of two looks at its bytes:
known keys are long runs of letters and digits, and all others stand behind a telling name. Only
what may hold one is read again and looked through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from synapse_stream.redaction.names import MASK, is_token, looks_secret

# Now and not at the first text: then no file may be left to open, or another thread may be forking.
from synapse_stream.redaction.text import redact_text

# A byte that a key may hold becomes an `a`, so that a run of them is found by one search.
_RUNS = bytes(
    97 if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "_+=~-") else 32
    for byte in range(256)
)
_REPORTS = frozenset(
    {b"progress", b"plan", b"metrics", b"message", b"dev_event", b"log", b"action"}
)
_SHORTEST_KEY = b"a" * 16
_RUN = re.compile(rb"[A-Za-z0-9_+=~-]{16,}")
_MOST_REMEMBERED = 1_000
_LONGEST_REMEMBERED = 64
_let_through: set[bytes] = set()
_OWN_FIELDS = frozenset(
    {"type", "v", "seq", "time", "count", "level", "status", "truncated", "identity"}
)

# What `encoding` leaves of data that is too long; a key may have been cut in two.
_PIECES = {"head", "tail"}
_LAST, _FIRST = re.compile(r"[\w.~+/=:@%-]{8,400}$"), re.compile(r"^[\w.~+/=:@%-]{8,400}")

Rules = Sequence["re.Pattern[str]"]


def redact_body(body: bytes, rules: Rules = ()) -> bytes:
    """Return the body of an event (`encoding`) with every secret in it masked; never raises.

    What cannot be looked through is not let through: all fields but type and version are masked.

    Args:
        body: JSON object without its opening brace.
        rules: patterns of the deployment's own; what they match is masked as well.
    """
    if not rules and not _may_hold_secrets(body):
        return body
    try:
        event = orjson.loads(b"{" + body)
        clean = {
            name: value if name in _OWN_FIELDS else _redact_named(name, value, rules)
            for name, value in event.items()
        }
        if clean != event:
            return orjson.dumps(clean)[1:]
    except Exception:  # noqa: BLE001 - fails closed
        return _hide_all(body)
    if not rules:
        _remember(body)
    return body


def compiled(rules: str | None) -> list[re.Pattern[str]]:
    """Compile own rules: a JSON list of regular expressions, or `@` and a file with one a line.

    Raises:
        ValueError: they are no list, one is no regular expression or matches the empty text, or the
            file cannot be read.
    """
    return [_rule(pattern) for pattern in _patterns(rules)]


def _patterns(rules: str | None) -> list[str]:
    if not rules:
        return []
    if not rules.startswith("@"):
        listed = orjson.loads(rules)
        if isinstance(listed, list) and all(isinstance(pattern, str) for pattern in listed):
            return listed
        msg = "expected a JSON list of texts"
        raise ValueError(msg)
    try:
        lines = Path(rules[1:]).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        msg = f"the file cannot be read: {error}"
        raise ValueError(msg) from error
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _rule(pattern: str) -> re.Pattern[str]:
    try:
        rule = re.compile(pattern)
    except re.error as error:
        msg = f"{pattern!r} is no regular expression: {error}"
        raise ValueError(msg) from error
    if rule.match(""):
        msg = f"{pattern!r} matches the empty text, and so everything"
        raise ValueError(msg)
    return rule


def _may_hold_secrets(body: bytes) -> bool:
    low = body.lower()
    text = low.decode("latin-1")  # in a text it is sought four times as fast as in bytes
    return (
        "pass" in text or "key" in text or "token" in text or "secret" in text or "auth" in text
        or "pwd" in text or "cred" in text or "cookie" in text or "bearer" in text
        or "://" in text or "basic " in text or "sig" in text or "otp" in text or "curl" in text
        or "login" in text or "identified" in text or "\xeb\xb9\x84\xeb\xb0\x80" in text
        or (low.translate(_RUNS).find(_SHORTEST_KEY) >= 0 and not _was_let_through(body, text))
    )  # fmt: skip


def _was_let_through(body: bytes, text: str) -> bool:
    """Tell that its runs are known and no keys; where it was cut, one may be a part of a key."""
    is_cut = "truncated" in text or "<cut: " in text
    return not is_cut and _let_through.issuperset(_RUN.findall(body))


def _remember(body: bytes) -> None:
    """Remember the runs of a body without secrets: the names of events come again and again."""
    if len(_let_through) < _MOST_REMEMBERED:
        _let_through.update(run for run in _RUN.findall(body) if len(run) <= _LONGEST_REMEMBERED)


def _redact_named(name: str, value: Any, rules: Rules) -> Any:
    if isinstance(value, str):
        if looks_secret(name) and not (is_token(name) and _is_special_token(value)):
            return MASK
        return _redact_text(value, rules)
    if isinstance(value, dict):
        if looks_secret(name):
            return MASK
        if value.keys() == _PIECES:
            value = {
                "head": _LAST.sub(MASK, value["head"]),
                "tail": _FIRST.sub(MASK, value["tail"]),
            }
        return {
            _redact_text(key, rules): _redact_named(key, item, rules) for key, item in value.items()
        }
    if isinstance(value, list):
        return MASK if looks_secret(name) and _holds_text(value) else _redact_list(value, rules)
    is_plain = value is None or isinstance(value, bool) or is_token(name)
    return value if is_plain or not looks_secret(name) else MASK


def _redact_list(values: list[Any], rules: Rules) -> list[Any]:
    shown: list[Any] = []
    flag = ""
    for value in values:
        if flag and isinstance(value, str) and not value.startswith("-"):
            shown.append(MASK)
        else:
            shown.append(_redact_named("", value, rules))
        is_flag = isinstance(value, str) and value.startswith("-") and "=" not in value
        flag = value if is_flag and looks_secret(value) else ""
    return shown


def _redact_text(text: str, rules: Rules) -> str:
    text = redact_text(text)
    for rule in rules:
        text = rule.sub(MASK, text)
    return text


def _is_special_token(value: str) -> bool:
    """Tell a piece of a vocabulary, as `<pad>` or `[CLS]`, from a secret."""
    return not value or (value[0] in "<[" and value[-1] in ">]")


def _holds_text(values: list[Any]) -> bool:
    return any(isinstance(value, (str, dict, list)) for value in values)


def _hide_all(body: bytes) -> bytes:
    kind = re.search(rb'"type":"(\w{1,40})","v":(\d{1,3})', body)
    name, version = kind.groups() if kind else (b"log", b"1")
    if name in _REPORTS:  # views cannot fold one without its fields
        return b'"type":"dev_event","v":1,"message":"%b: ***","rejected":1}' % name
    return b'"type":"%b","v":%b,"unencodable":"***"}' % (name, version)
