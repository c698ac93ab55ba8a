"""Keep secrets out of what is recorded: parameters become plain data with `***` in their place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum
from numbers import Number
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel

MASK = "***"

_DEEPEST = 32
_LONGEST_TEXT = 100_000  # beyond it a search for secrets would take time that the plugin notices
_PLAIN = (Number, PurePath, date, time, timedelta, UUID, type(None))

# Found anywhere in a name, whatever joins its words: db_password, dbPassword, DBPASSWORD.
_SECRET_PARTS = (
    "password", "passwd", "passphrase", "passcode", "secret", "credential", "authorization",
    "cookie", "bearer", "apikey", "accesskey", "privatekey", "accountkey", "signingkey",
    "encryptionkey", "sshkey", "connectionstring", "비밀번호",
)  # fmt: skip
# Found as a whole word only: `author` and `tokenizer` are no secrets.
_SECRET_WORDS = frozenset({"token", "tokens", "auth", "pwd", "jwt", "otp"})
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_JOINT = re.compile(r"[\W_]+")

# Every repetition is bounded, so that no text makes a search quadratic.
_URL_PASSWORD = re.compile(r"(\b[a-zA-Z][\w+.-]{0,30}://[^\s/@:]{0,200}):\S{0,4000}@")
_URL_USER = re.compile(r"(\b[a-zA-Z][\w+.-]{0,30}://)[^\s/@:]{1,4000}@")
_ASSIGNMENT = re.compile(
    r"""((?:password|passwd|pwd|passphrase|secret|token|credential|authorization|signature|\bsig
          |(?:api|access|account|private)[_-]?key)[\w-]{0,40}["']?\s{0,9}[=:]\s{0,9})
        (?!//)(?:"[^"]{0,4000}"|'[^']{0,4000}'|(?:(?:basic|bearer)\s{1,9})?[^\s&;,]{1,4000})""",
    re.IGNORECASE | re.VERBOSE,
)
_BEARER = re.compile(r"(\bbearer\s{1,9})[\w.~+/=-]{8,4000}", re.IGNORECASE)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")


def redact(value: Any) -> Any:
    """Return `value` as plain data in which nothing that looks secret is left; never raises.

    Masked are values under a name such as `password`, `api_key` or `token`, at any depth; passwords
    of URLs and `password=…` within text; pydantic's SecretStr; and whatever cannot be looked into:
    an object of an unknown class, bytes, data nested deeper than 32. Numbers, dates, paths, enums,
    models and dataclasses come through.
    """
    return _redact(value, 0)


def looks_secret(name: str) -> bool:
    """Tell whether a value under this name must not be shown."""
    joined = _JOINT.sub("", name).lower()
    words = {word.lower() for word in _WORD.findall(name)}
    return (
        joined == "pass"
        or joined.endswith(("token", "tokens", "pwd"))
        or any(part in joined for part in _SECRET_PARTS)
        or not _SECRET_WORDS.isdisjoint(words)
    )


def _redact(value: Any, depth: int) -> Any:
    try:
        return _look_into(value, depth)
    except Exception:  # noqa: BLE001 - the plugin's classes may raise anything; what is unclear stays hidden
        return MASK


def _look_into(value: Any, depth: int) -> Any:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return _redact_text(value)
    if isinstance(value, _PLAIN):
        return value
    if depth >= _DEEPEST:
        return MASK
    named = _named_values(value)
    if named is not None:
        return {
            _redact_text(str(name)): _redact_named(str(name), item, depth + 1)
            for name, item in named.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redact(item, depth + 1) for item in value]
    return MASK


def _named_values(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, BaseModel):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()  # type: ignore[no-any-return]
    return None


def _redact_named(name: str, value: Any, depth: int) -> Any:
    # `max_tokens: 4096` is a count; a token itself is text.
    is_count = name.lower().endswith("tokens") and isinstance(value, Number)
    if value is None or isinstance(value, bool) or is_count or not looks_secret(name):
        return _redact(value, depth)
    return MASK


def _redact_text(text: str) -> str:
    if len(text) > _LONGEST_TEXT or _KEY_BLOCK.search(text):
        return MASK
    text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    text = _URL_USER.sub(rf"\1{MASK}@", text)
    text = _ASSIGNMENT.sub(rf"\1{MASK}", text)
    return _BEARER.sub(rf"\1{MASK}", text)
