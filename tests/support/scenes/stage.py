"""The stage of the consumers' scenarios: jobs that report, consumers as processes, the audit."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Self

from consumers.views import names as projections
from consumers.views.opening import open_store
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.feeds import FeedLog
from synapse_stream.settings import PREFIX
from tests.support.chains import Chain
from tests.support.postgres import NO_POSTGRES, PostgresServer, find_programs
from tests.support.scenes import calls
from tests.support.scenes.compare import Comparison
from tests.support.scenes.worker import Role, work
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.settings import Settings
    from tests.support.scenes.audit import Tally
    from tests.support.scenes.report import Result
    from tests.support.scenes.worker import Point

GOES_ON = "goes on"
"""What a projector logs when a fault is over."""

_LARGEST_BATCH = 12
PROCESSES = multiprocessing.get_context("forkserver")
"""Processes that are forked from one that has imported all: they start at once."""
PROCESSES.set_forkserver_preload(["tests.support.scenes.worker", "psycopg"])


class Consumer:
    """A consumer process."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.process = PROCESSES.Process(target=work, args=(role,))
        self.process.start()

    @property
    def is_alive(self) -> bool:
        """Whether it runs, be it stopped."""
        return self.process.is_alive()

    def kill(self) -> bool:
        """Send SIGKILL; return False when it had ended before."""
        self.process.kill()
        return self.was_killed()

    def was_killed(self) -> bool:
        """Wait for its end; return whether SIGKILL was it."""
        self.process.join()
        return self.process.exitcode == -signal.SIGKILL

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.fail_if_gone()
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def stop(self) -> None:
        """Send SIGTERM, once it listens, and wait; fail if it did not end well."""
        wait_until(lambda: self._catches(signal.SIGTERM) or self.fail_if_gone())
        self.signal(signal.SIGTERM)
        self.process.join(30)
        assert self.process.exitcode == 0, f"ended with {self.process.exitcode}: {self.log}"

    def _catches(self, number: int) -> bool:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        return bool(caught >> (number - 1) & 1)

    @property
    def state(self) -> str:
        """What the kernel says of it: T is stopped."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    @property
    def peak_kib(self) -> int:
        """Most memory that it ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    @property
    def log(self) -> str:
        """What it wrote to its standard error."""
        return self.role.log_path.read_text() if self.role.log_path.exists() else ""

    def said(self, words: str) -> int:
        """Return how many lines of its log hold `words`."""
        return sum(words in line for line in self.log.splitlines())

    def wait_until_said(self, words: str, times: int = 1) -> bool:
        """Wait until `times` lines of its log hold `words`."""
        return bool(wait_until(lambda: self.said(words) >= times or self.fail_if_gone()))

    def fail_if_gone(self) -> bool:
        """Fail if its process has ended."""
        assert self.is_alive, f"ended with {self.process.exitcode}: {self.log}"
        return False


class Stage:
    """A deployment: its streams, its consumers and its views. Leaving it kills the consumers."""

    def __init__(self, home: Path, settings: Settings, random: Random | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.settings = settings
        self.consumers: list[Consumer] = []
        self.jobs: dict[str, Chain] = {}
        self.log = FeedLog.open(settings)
        self.store = open_store(settings)
        self._random = random or Random(1)
        self._voices: dict[str, int] = {}

    def prepare(self) -> Self:
        """Migrate the store, so that consumers need not."""
        for name in projections():
            self.store.databases.of(name)
        return self

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a process of this deployment."""
        shown = self.settings.model_dump(exclude_none=True, exclude_unset=True)
        return {PREFIX + name.upper(): str(value) for name, value in shown.items()}

    def consume(
        self, projection: str = "all", *, point: Point | None = None, **options: Any
    ) -> Consumer:
        """Start a consumer process, to be struck at `point` if it is given."""
        path = self.home / f"consumer-{len(self.consumers)}"
        self.consumers.append(Consumer(Role(projection, self.environ, path, point, **options)))
        return self.consumers[-1]

    def report(self, job: str, count: int) -> None:
        """Append `count` more events to a job, in batches of random length; it may be new."""
        while count > 0:
            size = min(count, self._random.randint(1, _LARGEST_BATCH))
            self.append(job, self._events(job, size))
            count -= size

    def insist(self, job: str, count: int) -> None:
        """Report events one by one, as a shipper does: what the server refuses it gets again."""

        def is_taken() -> bool:
            try:
                self.log.append(batch)
            except LogUnavailable:
                return False
            return True

        chain = self.jobs.setdefault(job, Chain(job, f"producer of {job}"))
        for number in range(count):
            event = {"type": "metrics", "v": 1, "time": 1, "values": {"loss": number}}
            batch = chain.add(event)
            wait_until(is_taken)

    def end(self, job: str) -> None:
        """Append the end of a run."""
        count = self.jobs[job].last + 2
        self.append(job, [{"type": "end", "status": "completed", "rank": 0, "count": count}])

    def append(self, job: str, events: Sequence[dict[str, Any]]) -> None:
        """Append one batch."""
        chain = self.jobs.setdefault(job, Chain(job, f"producer of {job}"))
        self.log.append(chain.add(*events))

    def is_caught_up(self, chosen: Sequence[str] = ()) -> bool:
        """Tell whether every feed is committed to its end."""
        for name in chosen or projections():
            reached = {at.partition: at.position for at in self.store.leases.checkpoints(name)}
            for partition in {self.log.keys.partition(job) for job in self.jobs}:
                if reached.get(partition, (0, 0)) < self.log.feed_last(partition):
                    return False
        return True

    def wait_until_caught_up(
        self,
        projections: Sequence[str] = (),
        *,
        by: Consumer | None = None,
        seconds: float = 60,
    ) -> None:
        """Wait until every feed is committed to its end; fail if `by` has ended."""

        def is_caught_up() -> bool:
            time.sleep(0.03)  # each look costs the consumers some of the two cores
            return self.is_caught_up(projections) or (by is not None and by.fail_if_gone())

        wait_until(is_caught_up, seconds)

    def compare(
        self, jobs: Sequence[str] = (), projections: Sequence[str] = (), *, positions: bool = True
    ) -> Tally:
        """Compare the views, of some jobs if they are given, with the streams."""
        comparison = Comparison(self.settings, positions=positions)
        try:
            return comparison.of_jobs(jobs or self.jobs, projections)
        finally:
            comparison.close()

    def settle(
        self, jobs: Sequence[str] = (), projections: Sequence[str] = (), *, positions: bool = True
    ) -> Tally:
        """Compare until nothing differs, or until that has lasted too long."""
        seen: list[Tally] = []

        def is_clean() -> bool:
            seen.append(self.compare(jobs, projections, positions=positions))
            return seen[-1].is_clean

        with suppress(AssertionError):  # the last comparison tells what is wrong
            wait_until(is_clean)
        return seen[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for consumer in self.consumers:
            consumer.kill()
            consumer.process.close()
        self.log.close()
        self.store.close()

    def _events(self, job: str, count: int) -> list[dict[str, Any]]:
        if job not in self._voices:
            self._voices[job] = 0
            return [{"type": "run_started", "action": "train", "rank": 0, "pid": 1, "host": "here"}]
        begin = self._voices[job]
        self._voices[job] += count
        return [calls.expected("0.0", number, 10) for number in range(begin, begin + count)]


@contextmanager
def own_postgres() -> Iterator[PostgresServer | None]:
    """Start a PostgreSQL server; None where there is none."""
    programs = find_programs()
    if programs is None:
        yield None
        return
    with PostgresServer(programs) as server:
        yield server


def play_on_postgres(result: Result, home: Path, play: Callable[[TestServer, str], None]) -> Result:
    """Play it with a server and a PostgreSQL database of its own; skip where there is none."""
    with own_postgres() as postgres:
        if postgres is None:
            result.skipped = NO_POSTGRES
            return result
        with postgres.database() as url, TestServer(home / "server") as server:
            play(server, url)
    return result
