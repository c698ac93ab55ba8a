"""A store that is damaged, beside a twin of it that is not: what both tell of the same streams."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Self

import httpx

from consumers.api.app import create_app
from consumers.audit.refold import MOVED
from consumers.views.opening import open_store
from synapse_stream.cli.operate.projection_findings import examine_projections
from synapse_stream.entries.position import BEGINNING
from synapse_stream.log.trimming import TrimLog
from synapse_stream.operating.retention import Trimmer
from synapse_stream.ports.audit import open_auditor
from synapse_stream.ports.projections import projections
from synapse_stream.settings import Settings
from tests.support.answers import Told, ask
from tests.support.chains import Chain
from tests.support.copies import Copies
from tests.support.projecting import Consumers, project
from tests.support.scenes.api import ApiProcess
from tests.support.scenes.stage import Stage
from tests.support.servers import TestServer, wait_until
from tests.support.serving import asked

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.support.scenes.stage import Consumer

_LONG = 10_400  # so many events have a mark
_WIDE = 300  # so many ranks have a document that is large
_SETTLE_SECONDS = 20.0


class Pair:
    """One deployment with two stores, and their APIs; the jobs are of every kind."""

    def __init__(
        self, home: Path, server: TestServer, random: Random, store_url: str | None
    ) -> None:
        self.settings = Settings(
            redis_url=server.url,
            namespace=f"pair-{random.randrange(1 << 40)}",
            store_url=store_url,
            data_dir=home / "data",
            partitions=2,
            lease_seconds=0.8,
        )
        self._twin = self.settings.model_copy(update={"data_dir": home / "twin", "store_url": None})
        self.stage = Stage(home / "stage", self.settings, random)
        self.copies = Copies(self.settings, home / "kept")
        self.older = [Copies(self.settings, home / f"older-{number}") for number in range(2)]
        """Of when less was reported; the first of before what is trimmed had all come."""
        self.trimmed = [f"trimmed-{number}" for number in range(3)]
        self.ended = [f"ended-{number}" for number in range(4)]
        self.live = [f"live-{number}" for number in range(4)]
        self.jobs = [*self.trimmed, *self.ended, *self.live, "long", "wide", "odd"]
        self._random = random
        self._ranks: list[Chain] = []
        self._exits = ExitStack()
        self._api = ApiProcess(self.settings, home / "api.log")
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self._api.port}", timeout=30)

    def __enter__(self) -> Self:
        self._fill()
        self.copies.keep()
        exits = self._exits
        exits.enter_context(self.stage)
        exits.enter_context(self._api)
        exits.enter_context(self._client)
        self._sound = exits.enter_context(asked(create_app(self._twin)))
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def go_on(self) -> None:
        """Have the live jobs report, and the twin take it in."""
        for job in self.live:
            self._report(job, 3)
        project(self._twin)

    def expected(self) -> dict[str, Told]:
        """Return what the sound store tells."""
        return ask(self._sound, self.jobs)

    def found(self) -> dict[str, Told]:
        """Return what the damaged one tells."""
        return ask(self._client, self.jobs)

    def numbers(self) -> str:
        """Return what its API tells Prometheus."""
        return self._client.get("/metrics").text

    def consume(self) -> Consumer:
        """Start its consumers, and wait until nothing is left to do, or nothing goes on."""
        consumer = self.stage.consume()
        deadline = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < deadline and not self._is_settled():
            consumer.fail_if_gone()
            time.sleep(0.1)
        return consumer

    def verify(self, job: str) -> list[str]:
        """Return what verifying finds of a job, and that it stands elsewhere."""
        with closing(open_auditor(self.settings)) as auditor:
            report = auditor.verify(job)
        found = [f"{one.what}: {one.found}" for one in report.findings]
        return found + [note for note in report.notes if MOVED in note]

    def examine(self) -> list[str]:
        """Return what `doctor` finds wrong with projections and store."""
        found = examine_projections(self.settings)
        return [one.text for one in found if one.verdict == "problem"]

    def _is_settled(self) -> bool:
        store = open_store(self.settings)
        try:
            return self.stage.is_caught_up() and not any(
                store.rebuilds.count_due(name) for name in projections().folded()
            )
        except Exception:  # noqa: BLE001 - it is damaged
            return False
        finally:
            store.close()

    def _fill(self) -> None:
        self.stage.log.check()
        for job in self.trimmed:
            self._run(job)
        self._both()
        self.older[0].keep()
        self._report("long", _LONG)
        self._both()
        self._trim()
        self.older[1].keep()
        for job in self.ended:
            self._run(job)
        for job in self.live:
            self._report(job, 30)
        self._open_wide()
        self._be_odd()
        self._both()
        with Consumers(self.settings) as consumers:  # who writes a document again, writes a change
            for rank in self._ranks[:3]:
                self.stage.log.append(rank.add({"type": "progress", "step": "a", "current": 1}))
                consumers.catch_up()
        self._both()
        with_rebuild = open_store(self.settings)
        with_rebuild.rebuilds.ask("message-feed", self.ended[-1])
        with_rebuild.close()

    def _both(self) -> None:
        project(self.settings)
        project(self._twin)

    def _run(self, job: str) -> None:
        self._report(job, self._random.randint(40, 120))
        self.stage.end(job)

    def _report(self, job: str, count: int) -> None:
        """Report metrics and messages, and the start of the run first."""
        if job not in self.stage.jobs:
            start = {"type": "run_started", "rank": 0, "action": f"act {job}", "host": "h"}
            self.stage.append(job, [start])
        while count > 0:
            size = min(count, self._random.randint(1, 12) if count < 1_000 else 500)
            self.stage.append(job, [self._event(job) for _ in range(size)])
            count -= size

    def _event(self, job: str) -> dict[str, object]:
        number = self._random.random()
        if self._random.random() < 0.5:
            return {"type": "metrics", "step": "fit", "values": {"loss": number, "acc": -number}}
        level = self._random.choice(("info", "warning"))
        return {"type": "message", "content": f"{job} says {number}", "level": level}

    def _open_wide(self) -> None:
        for rank in range(_WIDE):
            start = {"type": "run_started", "rank": rank, "action": "wide", "attempt": 1}
            steps = [
                {"type": "progress", "step": f"step {n}", "current": rank, "total": 500}
                for n in range(3)
            ]
            chain = self.stage.jobs["wide"] = Chain("wide", f"rank {rank}")
            self._ranks.append(chain)
            self.stage.log.append(chain.add(start, *steps))

    def _be_odd(self) -> None:
        self._report("odd", 10)
        chain = self.stage.jobs["odd"]
        self.stage.log.append(chain.add_data(b'{"seq":1,"type":"message"\n[1]\n\xff\n', 3))
        self._report("odd", 10)

    def _trim(self) -> None:
        brief = self.settings.model_copy(update={"hot_seconds": 0, "rewind_seconds": 0.001})
        store, log = open_store(brief), TrimLog.open(brief)
        try:
            gone = [*self.trimmed, "long"]

            def is_done() -> bool:
                trimmer = Trimmer(store, log, brief)
                for cut in trimmer.cuts():
                    trimmer.trim(cut)
                return not any(log.read_after(job, BEGINNING, limit=1) for job in gone)

            wait_until(is_done)
        finally:
            log.close()
            store.close()
