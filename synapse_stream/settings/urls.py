"""URLs that can be set, judged by their schemes; or the files that hold them."""

from __future__ import annotations

from pathlib import Path

URL_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
)
API_SCHEMES = ("https", "http")
SOCKET_SCHEME = "http+unix"
"""Of an API on a socket of this host, as an agent has one: `http+unix:///run/agent.sock`."""
STORE_SCHEMES = ("postgresql", "sqlite")


def known_server(url: str | None) -> str | None:
    """Return the URL of a server; raise ValueError for what is none."""
    return _with_scheme(url, URL_SCHEMES)


def known_api(url: str | None) -> str | None:
    """Return the URL of an HTTP API; raise ValueError for what is none."""
    url = _with_scheme(url, API_SCHEMES)
    if url is not None and {"@", "?", "#"} & set(url):
        msg = "it holds no login and no parameters; the token is a setting of its own"
        raise ValueError(msg)
    return url and url.rstrip("/")


def known_door(url: str | None) -> str | None:
    """Return the URL of an HTTP API or of a socket; raise ValueError for what is none."""
    url = _with_scheme(url, (*API_SCHEMES, SOCKET_SCHEME))
    if url is None or not url.lower().startswith(f"{SOCKET_SCHEME}:"):
        return known_api(url)
    if not url.partition("://")[2].startswith("/"):
        msg = "the socket's path begins with a slash, as in http+unix:///run/agent.sock"
        raise ValueError(msg)
    return url


def known_store(url: str | None) -> str | None:
    """Return the URL of a store; raise ValueError for what is none."""
    return _with_scheme(url, STORE_SCHEMES)


def _with_scheme(url: str | None, schemes: tuple[str, ...]) -> str | None:
    if url is not None and url.startswith("@"):  # a file of secrets, as containers have them
        try:
            url = Path(url[1:]).read_text(encoding="utf-8").strip()
        except OSError as error:
            msg = f"the file that holds it cannot be read: {error.strerror}"
            raise ValueError(msg) from error
    if url is not None and url.partition("://")[0].lower() not in schemes:
        msg = f"the scheme must be one of {', '.join(schemes)}"
        raise ValueError(msg)
    return url
