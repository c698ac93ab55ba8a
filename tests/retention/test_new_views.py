"""A view that comes when streams are trimmed, or falls behind that, is filled from the archive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from consumers import views
from synapse_stream.operating.retention import Trimmer
from tests.support import events
from tests.support.chains import Chain
from tests.support.packages import installed, put_example, put_module
from tests.support.projecting import Consumers
from tests.support.scenes.compare import Comparison
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumers.store.store import Store
    from synapse_stream.log.trimming import TrimLog
    from synapse_stream.settings import Settings

TIMES = "time-by-step"
OURS = [views.find(name).rules for name in views.names()]
STALLED = """
from threading import Event
from synapse_stream import JobView

REACHED, GO_ON = Event(), Event()

class V(JobView):
    name, version = "stalled", 1

    def begin(self):
        return {"count": 0}

    def apply(self, delivery):
        REACHED.set()
        GO_ON.wait(30)
        self.state["count"] += len(delivery.events)
"""


@pytest.fixture
def chains() -> dict[str, Chain]:
    return {}


def report(log: TrimLog, chains: dict[str, Chain], *jobs: str) -> None:
    for job in jobs:
        for number in range(4):
            chain = chains.setdefault(job, Chain(job))
            log.append(chain.add(events.progress(number, step="fit", at=number)))
    time.sleep(0.003)  # beyond the windows, which are a millisecond


def fold_ours(settings: Settings) -> None:
    with Consumers(settings, OURS) as consumers:
        consumers.catch_up()


def trim(store: Store, log: TrimLog, settings: Settings) -> int:
    trimmer = Trimmer(store, log, settings)
    return sum(trimmer.trim(cut).entries for cut in trimmer.cuts())


def problems(settings: Settings, jobs: dict[str, Chain], name: str) -> list[str]:
    comparison = Comparison(settings, trimmed=True)
    tally = comparison.of_jobs(jobs, [name])
    comparison.close()
    assert tally.events
    return tally.problems


def outcomes(store: Store, name: str) -> set[tuple[str | None, str | None]]:
    wait_until(lambda: store.rebuilds.count_due(name) == 0)
    return {(one.outcome, one.difference) for one in store.rebuilds.asked(name)}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    with installed(put_example(tmp_path / "site")):
        yield tmp_path


def test_a_view_that_comes_after_trimming_has_all_from_the_beginning(
    trim_log: TrimLog, brief: Settings, store: Store, chains: dict[str, Chain], tmp_path: Path
) -> None:
    report(trim_log, chains, "ended", "goes on")
    fold_ours(brief)
    assert trim(store, trim_log, brief) == 8
    report(trim_log, chains, "goes on", "new")

    with (
        installed(put_example(tmp_path / "site")),
        Consumers(brief, [views.find(TIMES).rules]) as consumers,
    ):
        consumers.catch_up()
        assert outcomes(store, TIMES) == {("rebuilt, there was none of this version before", None)}
        report(trim_log, chains, "goes on")
        consumers.catch_up()

        assert problems(brief, chains, TIMES) == []


def test_trimming_waits_for_a_view_of_a_package_while_there_is_room(
    trim_log: TrimLog, brief: Settings, store: Store, chains: dict[str, Chain], site: Path
) -> None:
    report(trim_log, chains, "job")
    fold_ours(brief)

    assert trim(store, trim_log, brief) == 0
    assert trim(store, trim_log, brief.model_copy(update={"hot_bytes": 1})) == 4


def test_one_that_was_not_waited_for_misses_nothing(
    trim_log: TrimLog, brief: Settings, store: Store, chains: dict[str, Chain], tmp_path: Path
) -> None:
    report(trim_log, chains, "job")
    with installed(put_module(tmp_path / "site", "stalled", STALLED, {"stalled": "stalled:V"})):
        rules = views.find("stalled").rules
        module = __import__("stalled")
        with Consumers(brief, [rules]) as consumers:
            assert module.REACHED.wait(30)
            report(trim_log, chains, "job")
            fold_ours(brief)
            assert trim(store, trim_log, brief.model_copy(update={"hot_bytes": 1})) == 8
            report(trim_log, chains, "job")
            module.GO_ON.set()
            consumers.catch_up()
            assert outcomes(store, "stalled")

            assert problems(brief, chains, "stalled") == []
