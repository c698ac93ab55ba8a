"""Where data lies unless it is said: in the user's home, and where there is none, beside it.

A service, a container or a batch job may have no HOME, one that cannot be written, no entry in the
password file, or a working directory that was removed. Then it is a directory of the user's own
among the temporary files, which is said once.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from synapse_stream.saying import voice

_NAME = "synapse-stream"
_MOST_NAMES = 9  # of one that somebody else has taken
_said: set[str] = set()


def data_dir() -> Path:
    """Return the directory for data, absolute; it is there only if it is a makeshift."""
    troubles = []
    for base in (_xdg_data, _home_data):
        try:
            place = base()
            if place is None:
                continue
            _see_usable(place)
        except (OSError, RuntimeError, ValueError, LookupError) as error:
            troubles.append(str(error))
        else:
            return place
    makeshift = _makeshift()
    if str(makeshift) not in _said:
        _said.add(str(makeshift))
        voice.warn(
            "there is no place of this user for data (%s), so it is in %s; "
            "set SYNAPSE_STREAM_DATA_DIR to one that lasts",
            *("; ".join(troubles), makeshift),
        )
    return makeshift


def absolute(path: Path) -> Path:
    """Return a path that stays the same wherever the plugin goes.

    Raises:
        ValueError: there is no home for its `~`, or no working directory that it could begin in.
    """
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError) as error:
        msg = f"{path} leads nowhere here: {error}"
        raise ValueError(msg) from error


def _xdg_data() -> Path | None:
    base = os.environ.get("XDG_DATA_HOME")
    if not base:
        return None
    if not Path(base).is_absolute():
        msg = f"XDG_DATA_HOME={base} is not absolute"
        raise ValueError(msg)
    return Path(base, _NAME)


def _home_data() -> Path:
    home = os.environ.get("HOME") or _home_in_password_file()
    if not Path(home).is_absolute():
        msg = f"HOME={home} is not absolute"
        raise ValueError(msg)
    return Path(home, ".local", "share", _NAME)


def _home_in_password_file() -> str:
    import pwd  # noqa: PLC0415 - seldom needed

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        msg = f"user {os.getuid()} has neither a HOME nor an entry in the password file"
        raise LookupError(msg) from None


def _see_usable(place: Path) -> None:
    """See that this user can write there; or read, where a server of ours runs.

    Raises:
        OSError: not so.
    """
    there = next(path for path in (place, *place.parents) if _exists(path))
    may_write = there.is_dir() and os.access(there, os.W_OK | os.X_OK, effective_ids=_BY_EFFECTIVE)
    if not may_write and not os.access(place / "server.json", os.R_OK):
        msg = f"{there} cannot be written"
        raise PermissionError(msg)


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _makeshift() -> Path:
    """Return a directory of this user alone among the temporary files, made if need be."""
    user = os.geteuid()
    for base in _temporary():
        for number in range(1, _MOST_NAMES + 1):
            place = base / (f"{_NAME}-{user}" if number == 1 else f"{_NAME}-{user}-{number}")
            try:
                place.mkdir(mode=0o700, exist_ok=True)
                found = place.lstat()
            except FileExistsError:  # a file, or a link to nowhere
                continue
            except OSError:
                break
            is_private = stat.S_ISDIR(found.st_mode) and not stat.S_IMODE(found.st_mode) & 0o077
            if is_private and found.st_uid == user:
                return place
    return Path("/tmp", f"{_NAME}-{user}")  # noqa: S108 - nothing can be written anywhere: a name for it


def _temporary() -> list[Path]:
    named = [os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")]
    return [Path(name) for name in (*named, "/tmp", "/var/tmp") if name.startswith("/")]  # noqa: S108 - as above


_BY_EFFECTIVE = os.access in os.supports_effective_ids
