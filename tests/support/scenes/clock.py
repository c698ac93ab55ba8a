"""A server whose clock can be set: libfaketime in front of its binary."""

from __future__ import annotations

from pathlib import Path

from synapse_stream.log.server import find_binary
from tests.support.servers import TestServer

NO_FAKETIME = "no libfaketime: apt-get install faketime"


def find_faketime() -> Path | None:
    """Return the library for programs with threads, None where there is none."""
    places = ("/usr/lib/*/faketime", "/usr/lib*/faketime", "/usr/local/lib*/faketime")
    found = [
        library for place in places for library in Path("/").glob(f"{place[1:]}/libfaketimeMT.so.1")
    ]
    return found[0] if found else None


class ClockedServer(TestServer):
    """A server that runs `offset` seconds beside the real time from its next start on."""

    __test__ = False

    def __init__(self, home: Path, faketime: Path) -> None:
        home.mkdir(parents=True)
        self._file = home / "offset"
        self.set_clock(0)
        start = home / "start"
        start.write_text(
            "#!/bin/sh\n"
            f'export LD_PRELOAD={faketime} FAKETIME="$(cat {self._file})"\n'
            "export FAKETIME_DONT_FAKE_MONOTONIC=1\n"
            f'exec {find_binary()} "$@"\n'
        )
        start.chmod(0o755)
        super().__init__(home, binary=str(start))

    def set_clock(self, offset: int) -> None:
        """Set the clock of its next start, in seconds beside the real time."""
        self.offset = offset
        self._file.write_text(f"{offset:+}")
