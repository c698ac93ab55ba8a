"""URLs without their secrets, and texts of others without what a URL keeps secret.

A password is not looked for and cut out: only scheme, hosts and name are shown, and only of a URL
that can be read in one way. Where a raw `/`, `?` or `#` in a password makes it another URL than was
meant, a program would take a part of the password for a host, a port or a name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = "***"
HOW_TO_WRITE = (
    "it cannot be read; within user, password and values write / ? # @ : % as %2F %3F %23 %40 "
    "%3A %25"
)

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_SHAPE = re.compile(
    r"(?:(?P<user>[^/?#]*)@)?"
    r"(?P<hosts>(?:[\w.%~-]+|\[[0-9A-Fa-f:.%\w]+\])?(?::\d{1,5})?(?:,[\w.%~-]+(?::\d{1,5})?)*)"
    r"(?P<path>/[^?#]*)?"
    r"(?:\?(?P<query>[^#]*))?",
    re.ASCII,
)
_FILE = re.compile(r"(?P<path>(?:/.*)?)", re.DOTALL)
_NAME = re.compile(r"[^@:=&;\s]*")
_QUERY = re.compile(r"\w+=[^&]*(&\w+=[^&]*)*", re.ASCII)
_MAY_HOLD_AT = re.compile(
    r"(sentinel_|ssl_?)?password|passfile|(sentinel_)?username|user|options|ssl\w*|host|service"
)
_PLAIN = re.compile(
    r"host|hostaddr|port|dbname|user|sslmode|ssl_check_hostname|ssl_cert_reqs|connect_timeout|"
    r"application_name|target_session_attrs|keepalives\w*|gssencmode|channel_binding"
)
_SQLITE = "sqlite"
_SHORTEST_SECRET = 2


def mask_url(url: str) -> str:
    """Return scheme, hosts and name of a URL; of one that is in doubt no more than its scheme."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        return HIDDEN
    parts = _read(url)
    if parts is None:
        return f"{scheme[0]}{HIDDEN}"
    return f"{scheme[0]}{parts['hosts']}{parts['path']}"


def is_readable(url: str) -> bool:
    """Tell whether a URL can be read in one way only; else nobody shall look for its parts."""
    return _read(url) is not None


def without_secrets(text: str, url: str | None) -> str:
    """Return what a library says about `url` without what is secret in that.

    Of a URL that is in doubt nothing can be told apart, so nothing of such a text is left.
    """
    if not url:
        return text
    if not is_readable(url):
        return HOW_TO_WRITE
    for secret in sorted(secrets_of(url), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def secrets_of(url: str) -> set[str]:
    """Return passwords of a URL and the values of all parameters that are not known as harmless.

    Each comes as it is written and as it is meant.
    """
    parts = _read(url)
    found = set() if parts is None else set(_secrets(parts))
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _secrets(parts: dict[str, str]) -> Iterator[str]:
    from urllib.parse import unquote, unquote_plus  # noqa: PLC0415 - only of what failed

    _, _, password = parts["user"].partition(":")
    yield from (password, unquote(password))
    for pair in parts["query"].split("&"):
        name, _, value = pair.partition("=")
        if not _PLAIN.fullmatch(name):
            yield from (value, unquote(value), unquote_plus(value))


def _read(url: str) -> dict[str, str] | None:
    """Return the parts of a URL; None when they may be others than was meant."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        return None
    kind = scheme[1].lower()
    shape = (_FILE if kind == _SQLITE else _SHAPE).fullmatch(url, scheme.end())
    if shape is None:
        return None
    parts = {"user": "", "hosts": "", "path": "", "query": ""} | shape.groupdict(default="")
    if kind == "unix":
        return None if parts["hosts"] else parts
    is_name = kind == _SQLITE or _NAME.fullmatch(parts["path"])
    return parts if is_name and _is_plain(parts["query"]) else None


def _is_plain(query: str) -> bool:
    """Tell whether a query is one: an `@` may be that of a password with a raw `?`."""
    if "@" not in query:
        return True
    names = [pair.partition("=")[0] for pair in query.split("&")]
    return bool(_QUERY.fullmatch(query)) and all(map(_MAY_HOLD_AT.fullmatch, names))
