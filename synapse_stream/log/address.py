"""Where the embedded server of a data directory answers, and whether that directory is a copy.

The address is told together with the directory that it belongs to, for data directories are copied:
what reports in the copy must not reach the server of the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from synapse_stream.errors import LogUnavailable
from synapse_stream.system.boot import boot_id
from synapse_stream.system.private import write_file

if TYPE_CHECKING:
    from pathlib import Path

    from synapse_stream.log.users import Role


def running_url(data_dir: Path, role: Role = "plugin") -> str:
    """Return the URL of the embedded server of `data_dir`, with the login of a role.

    Raises:
        LogUnavailable: none was started there, or it has stopped, or it is another user's.
    """
    advice = (
        "`synapse-stream up` starts one; if one runs elsewhere, set SYNAPSE_STREAM_DATA_DIR "
        "as its `up` says; for another server set SYNAPSE_STREAM_REDIS_URL"
    )
    try:
        told = orjson.loads((data_dir / "server.json").read_bytes())
        url = str(told["url" if role == "plugin" else "consumers_url"])
        place = told.get("place")
    except PermissionError:
        msg = f"permission denied: the server of {data_dir} is another user's; {advice}"
        raise LogUnavailable(msg) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        msg = f"no server: none runs in {data_dir}; {advice}"
        raise LogUnavailable(msg) from None
    if is_copied(data_dir / "server", place):
        msg = (
            f"no server: {data_dir} is a copy, and the server runs in the original; "
            "`synapse-stream up` starts one for the copy"
        )
        raise LogUnavailable(msg)
    return url


def write_address(data_dir: Path, url: str, consumers_url: str, pid: int) -> None:
    """Tell where the server answers plugins, and where consumers."""
    fresh = data_dir / "server.json.new"
    told = {"url": url, "consumers_url": consumers_url, "pid": pid}
    write_file(fresh, orjson.dumps({**told, "place": place_of(data_dir / "server")}))
    fresh.replace(data_dir / "server.json")


def place_of(folder: Path) -> dict[str, Any]:
    """Return what tells a folder from a copy of it."""
    found = folder.stat()
    return {"ino": found.st_ino, "dev": found.st_dev, "boot": boot_id() or ""}


def is_copied(folder: Path, place: Any) -> bool:
    """Tell whether a folder is another one than that of `place`; not known is no."""
    if not isinstance(place, dict):
        return False
    try:
        here = place_of(folder)
    except OSError:
        return False
    # numbers of devices hold until the machine starts again
    is_same_boot = here["boot"] == place.get("boot")
    return bool(
        here["ino"] != place.get("ino") or (is_same_boot and here["dev"] != place.get("dev"))
    )
