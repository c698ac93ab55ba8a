"""A plugin whose work is done by a pool of processes: `python -m … ROLE`, as `plugin`.

Each voice of its role is one task, made by whichever process gets it.
"""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import orjson

from synapse_stream.reporting.run import open_run
from tests.resilience.places import pool_ways
from tests.resilience.places.troubled import SturdyHandler
from tests.support.scenes.plugin import EXCEPTION, Plugin, Role

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext


@dataclass(frozen=True)
class PoolRole(Role):
    """What is to be done; `threads` tasks of `limit` calls."""

    module: ClassVar[str] = "tests.resilience.places.pooled"

    pool: str = ""
    """One of WAYS."""


@dataclass
class Task:
    """One task: what is pickled to whoever does it."""

    role: PoolRole
    context: RuntimeContext | None

    def __call__(self, voice: int) -> bool:
        """Make the calls of a voice; return whether all went well."""
        context = self.context or pool_ways.SHARED.get("context")
        assert context is not None, "no context reached the worker"
        plugin = Plugin(self.role, context)
        plugin.speak(voice, self.role.limit)
        return not plugin.has_failed

    def in_own_run(self, voice: int) -> bool:
        """The same in a run that this process opens by itself, and nobody ends."""
        self.context = open_run(self.role.job)
        return self(voice)

    def in_own_rank(self, voice: int) -> bool:
        """The same as a rank of its own."""
        self.context = open_run(self.role.job, rank=voice + 1)
        return self(voice)

    def and_leave(self, voice: int) -> None:
        """The same, and end the process without any clean-up."""
        os._exit(0 if self(voice) else EXCEPTION)


def main() -> int:
    """Run the plugin; 70 when anything raised."""
    role = PoolRole(**orjson.loads(sys.argv[1]))
    logging.basicConfig(handlers=[SturdyHandler(role.log_path)])
    with open_run(role.job) as context:
        pool_ways.SHARED["context"] = context
        Plugin(role, context).witness.end()
        is_well = pool_ways.WAYS[role.pool](Task(role, context), range(role.threads))
    return 0 if is_well else EXCEPTION


if __name__ == "__main__":
    from tests.resilience.places.pooled import main as main_by_its_name

    sys.exit(main_by_its_name())  # so that workers find what is pickled
