"""A plugin that something is done to while it reports: `python -m … ROLE`, as `plugin`."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import orjson
from typing_extensions import override

from synapse_stream.reporting.run import open_run
from tests.resilience.places.troubles import SILENT, TROUBLES, are_own_files_well
from tests.support.scenes.plugin import EXCEPTION, Plugin, Role
from tests.support.scenes.witness import Witness

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext

BEFORE = -1
MEDDLED = 71
"""Exit status of a plugin whose own files the library closed, or wrote to."""


@dataclass(frozen=True)
class TroubledRole(Role):
    """What the plugin is to do, and what is done to it."""

    module: ClassVar[str] = "tests.resilience.places.troubled"

    trouble: str = ""
    """One of TROUBLES."""
    trouble_at: tuple[int, ...] = (20,)
    """Behind which calls of its first voice; BEFORE: before the run is opened."""
    flush_every: int = 0
    """Calls of the first voice; 0: never."""

    @property
    def flushed_path(self) -> Path:
        """Where it is witnessed how many calls `flush` has promised to be in the stream."""
        return Path(self.home, f"flushed-{self.worker}")

    @property
    def happened_path(self) -> Path:
        """A line for each trouble that came, with what it met."""
        return Path(self.home, f"happened-{self.worker}")

    @property
    def happened(self) -> int:
        """How many troubles came."""
        path = self.happened_path
        lines = path.read_text().splitlines() if path.exists() else []
        return sum(int(line) > 0 for line in lines)

    @property
    def flushed(self) -> int:
        """How many calls of the first voice `flush` has promised to be in the stream."""
        return Witness(self.flushed_path).returned(0) if self.flushed_path.exists() else 0


class TroubledPlugin(Plugin):
    """Makes the calls of a role, and what is to come between them."""

    def __init__(self, role: TroubledRole, context: RuntimeContext) -> None:
        super().__init__(role, context)
        self._troubled = role
        self._flushed = Witness.create(role.flushed_path)

    @override
    def run(self) -> None:
        if "threads" not in self._troubled.trouble:
            super().run()
            return
        for number, ending in enumerate(self._troubled.forks, self._troubled.threads):
            self._fork(number, ending)
        self.speak(0, self._troubled.limit)
        self.witness.end()

    @override
    def speak(self, voice: int, limit: int) -> None:
        if voice >= self._troubled.threads:  # a forked child
            befall(self._troubled)
        super().speak(voice, limit)

    @override
    def pause(self, voice: int, number: int) -> None:
        role = self._troubled
        if voice == 0 and number in role.trouble_at:
            befall(role)
        is_due = voice == 0 and role.flush_every and number % role.flush_every == 0
        if is_due and self._context.flush(0.02):
            self._flushed.finish(0, number)
        super().pause(voice, number)


class SturdyHandler(logging.Handler):
    """Opens its file for each line: no descriptor of it can be closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    @override
    def emit(self, record: logging.LogRecord) -> None:
        with self._path.open("a") as file:
            file.write(f"{record.levelname} {self.format(record)}\n")


def befall(role: TroubledRole) -> None:
    """Let the trouble of a role come."""
    met = TROUBLES[role.trouble]() if role.trouble else 0
    with role.happened_path.open("a") as file:
        file.write(f"{met}\n")


def main() -> int:
    """Run the plugin; 70 when a report call raised anything."""
    given = orjson.loads(sys.argv[1])
    role = TroubledRole(**{**given, "trouble_at": tuple(given["trouble_at"])})
    if role.trouble not in SILENT:
        logging.basicConfig(handlers=[SturdyHandler(role.log_path)])
    if BEFORE in role.trouble_at:
        befall(role)
    with open_run(role.job, rank=role.rank) as context:
        plugin = TroubledPlugin(role, context)
        plugin.run()
    return EXCEPTION if plugin.has_failed else 0 if are_own_files_well() else MEDDLED


if __name__ == "__main__":
    sys.exit(main())
