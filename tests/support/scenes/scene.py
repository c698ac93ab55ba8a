"""The stage of a scenario: settings, a spool of its own, plugins as processes, the audit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from synapse_stream.log.event_log import open_log
from synapse_stream.producer.adoption.adopt import adopt_all
from synapse_stream.producer.spool.roots import hot_root
from synapse_stream.settings import PREFIX, Settings
from tests.support.homes import own_memory
from tests.support.scenes.audit import Audit, Tally
from tests.support.scenes.plugin import Role
from tests.support.scenes.witness import Witness
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.producer.adoption.adopt import Adoption

AGAIN = "takes events again"
"""What the library logs when an outage is over."""

_ROOT = Path(__file__).parents[3]
_PATIENCE_SECONDS = 60.0
_ANSWER_SECONDS = 10.0  # so that only planned outages are some, also on a machine that stalls


class Actor:
    """A plugin's process.

    Args:
        within: words of a command that runs the rest of its line somewhere else.
        python: another interpreter.
    """

    def __init__(
        self,
        role: Role,
        environ: dict[str, str],
        *,
        within: Sequence[str] = (),
        python: str = sys.executable,
    ) -> None:
        self.role = role
        self.witness = Witness.create(role.witness_path)
        self._errors = Path(role.home, f"errors-{role.worker}")
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*within, python, "-m", role.module, role.dump()],
                env=environ,
                cwd=_ROOT,
                stderr=errors,
                start_new_session=True,
            )

    def wait_for(self, calls: int) -> None:
        """Wait until `calls` calls have returned, of all voices."""
        wait_until(lambda: self.witness.total >= calls or self._fail_if_gone())

    def wait_for_more(self, calls: int) -> None:
        """Wait until `calls` more calls have returned."""
        self.wait_for(self.witness.total + calls)

    def wait_until_said(self, words: str, times: int = 1) -> None:
        """Wait until `times` lines of its log hold `words`."""
        wait_until(lambda: self.said(words) >= times)

    def kill(self) -> bool:
        """Send SIGKILL; return False when the process had ended before."""
        self.process.send_signal(signal.SIGKILL)
        return self.process.wait() == -signal.SIGKILL

    def stop(self) -> None:
        """Ask it to end its run, and wait until its process has ended well."""
        self.witness.stop()
        self.join()

    def join(self) -> None:
        """Wait until it has ended its run; fail if a call of it raised anything."""
        status = self.process.wait(_PATIENCE_SECONDS)
        assert status == 0, f"the plugin ended with {status}: {self.errors}"

    @property
    def errors(self) -> str:
        """What it wrote to its standard error."""
        return self._errors.read_text()

    @property
    def log_lines(self) -> list[str]:
        """What the library logged in it, a line each, traces too."""
        path = self.role.log_path
        return path.read_text().splitlines() if path.exists() else []

    def said(self, words: str) -> int:
        """Return how many of the lines hold `words`."""
        return sum(words in line for line in self.log_lines)

    def _fail_if_gone(self) -> bool:
        status = self.process.poll()
        assert status is None, f"the plugin ended early with {status}: {self.errors}"
        return False


class Scene:
    """One job's plugins in one directory; leaving it kills them and frees the shared memory."""

    def __init__(self, home: Path, redis_url: str | None, **settings: Any) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self._exits = ExitStack()
        memory = self._exits.enter_context(own_memory())
        given = {"data_dir": home, "memory_dir": memory, "connect_seconds": _ANSWER_SECONDS}
        self.settings = Settings(redis_url=redis_url, **{**given, **settings})
        self.actors: list[Actor] = []
        self.more_environ: dict[str, str] = {}
        """What the environment of its processes has beside the settings."""

    def enter(self, **role: Any) -> Actor:
        """Start one more plugin."""
        worker = str(len(self.actors))
        role = {"job": "job", "worker": worker, **role}
        return self.enter_as(Role(home=str(self.home), **role))

    def enter_as(self, role: Role, **where: Any) -> Actor:
        """Start one more plugin that plays `role`; see `Actor` for where."""
        actor = Actor(role, self.environ, **where)
        self.actors.append(actor)
        return actor

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process with this scene's settings."""
        shown = self.settings.model_dump(exclude_none=True, exclude_unset=True)
        named = {PREFIX + name.upper(): str(value) for name, value in shown.items()}
        return {**os.environ, **named, **self.more_environ}

    def open_log(self, url: str | None = None) -> EventLog:
        """Open the log of these settings, or that behind another URL; closed with the scene."""
        log = self._connect(url)
        self._exits.callback(log.close)
        return log

    def adopt(self) -> list[Adoption]:
        """Adopt until nothing waits, as the next plugin on this host does."""
        adoptions = adopt_all(self.settings, self._connect)
        assert not [a for a in adoptions if a.waiting or a.trouble], adoptions
        return adoptions

    def start(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        """Start `python -m module` with these settings."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *words],
            env=self.environ,
            cwd=_ROOT,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def audit(
        self, url: str | None = None, *, may_lose: bool = False, by_kind: bool = False
    ) -> Tally:
        """Compare the job's stream with what its plugins reported."""
        plugins = [(actor.role, actor.witness) for actor in self.actors]
        job = self.actors[0].role.job
        log = self.open_log(url)
        return Audit(log, job, plugins, may_lose=may_lose, by_kind=by_kind).run()

    def segments(self) -> list[Path]:
        """Return all segments of the spools, hot and cold."""
        roots = (
            hot_root(self.settings.spool_root, self.settings.memory_dir),
            self.settings.spool_root,
        )
        found = [path for root in roots if root for path in root.glob("*/*.seg")]
        return sorted(found, key=lambda path: path.name)

    def _connect(self, url: str | None = None) -> EventLog:
        server = {"redis_url": url or self.settings.redis_url, "url": None}
        update = {**server, "connect_seconds": _ANSWER_SECONDS}
        return open_log(self.settings.model_copy(update=update))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self.actors:
            actor.process.kill()
            actor.process.wait()
        self._exits.close()
        hot = hot_root(self.settings.spool_root, self.settings.memory_dir)
        if hot is not None:
            shutil.rmtree(hot, ignore_errors=True)
