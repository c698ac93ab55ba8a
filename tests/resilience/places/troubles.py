"""What is done to a plugin from within: descriptors closed under it, limits, broken outputs."""

from __future__ import annotations

import logging
import os
import random
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACES = ("/spool/", "/synapse-stream-", "socket:")


_own: list[int] = []
"""Files of the plugin that got numbers which were closed under the library."""


def close_locks() -> int:
    """Close what holds the locks, as on a file system whose locks do not cross hosts.

    The plugin's next files get the numbers, and are to stay open.
    """
    closed = _close(lambda name: "producer.json" in name)
    _own.extend(os.memfd_create("mine") for _ in range(closed))
    return closed


def are_own_files_well() -> bool:
    """Whether what the plugin opened under such numbers is still open, and only its own."""
    for number in _own:
        try:
            os.write(number, b"mine")
            if os.pread(number, 100, 0) != b"mine":
                return False
        except OSError:
            return False
    return True


def close_all() -> int:
    """Close 3 to 1023, as daemonizing libraries do."""
    before = len(_descriptors())
    os.closerange(3, 1024)
    return before - len(_descriptors())


def close_twice() -> int:
    """Close a number twice that the library has got in between: any one of its own."""
    ours = [n for n, name in _descriptors().items() if any(place in name for place in _PLACES)]
    if not ours:
        return 0
    os.close(random.SystemRandom().choice(ours))
    return 1


def close_stderr() -> int:
    """Close standard error, as a shell's `2>&-` or a daemon does."""
    os.close(2)
    return 1


def scribble() -> int:
    """Close the standard descriptors, and later write to them all the same, as C code does."""
    for number in range(3):
        try:
            if _scribbled:
                os.write(number, b"some library in C complains\n")
            else:
                os.close(number)
        except OSError:
            continue
    _scribbled.append(True)
    return 1


_scribbled: list[bool] = []


def wait_for_others() -> int:
    """Go on when the file named by FAULTS_START is there."""
    start = Path(os.environ["FAULTS_START"])
    while not start.exists():
        time.sleep(0.0005)
    return 1


def lose_stderr() -> int:
    """Leave no standard error at all, as pythonw and some services do."""
    sys.stderr.close()
    sys.stderr = None
    return 1


class _Raising(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        msg = f"no place for {record.getMessage()!r}"
        raise OSError(msg)


def raise_in_logging() -> int:
    """Have a logging handler that raises."""
    logger = logging.getLogger("synapse_stream")
    logger.handlers[:] = [_Raising()]
    logger.setLevel(logging.DEBUG)
    return 1


class _Exiting(_Raising):
    def emit(self, record: logging.LogRecord) -> None:
        raise SystemExit(record.getMessage())


def exit_in_logging() -> int:
    """Have one that raises what no `except Exception` catches."""
    raise_in_logging()
    logging.getLogger("synapse_stream").handlers[:] = [_Exiting()]
    return 1


def forbid_threads() -> int:
    """Let no thread start: by the group that was made for that, else by the user's limit."""
    group = os.environ.get("FAULTS_PIDS_GROUP")
    if group is None:
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        return 1
    Path(group, "cgroup.procs").write_text(str(os.getpid()))
    now = int(Path(group, "pids.current").read_text())
    Path(group, "pids.max").write_text(str(now))
    return 1


def _close(is_wanted: Callable[[str], bool]) -> int:
    wanted = [number for number, name in _descriptors().items() if is_wanted(name)]
    for number in wanted:
        os.close(number)
    return len(wanted)


def _descriptors() -> dict[int, str]:
    """Return the open descriptors behind the standard ones, with what they are."""
    found = {}
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - names, not paths
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")  # noqa: PTH115
        except OSError:  # that of the listing itself
            continue
    return {number: name for number, name in found.items() if number > 2}


SILENT = ("close-stderr", "lose-stderr", "scribble")
"""Here what the library says goes where it goes when nothing is set up."""
TROUBLES: dict[str, Callable[[], int]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(
            close_locks,
            close_all,
            close_twice,
            close_stderr,
            lose_stderr,
            scribble,
            wait_for_others,
        ),
        *(raise_in_logging, exit_in_logging, forbid_threads),
    )
}
