"""A fifth and a sixth view, by a package outside of the tree: they have all that ours have."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from consumers import views
from consumers.api.app import create_app
from consumers.audit.auditor import open_auditor
from consumers.views.opening import open_views
from synapse_stream import JobStream
from synapse_stream.settings import Settings
from tests.support import events
from tests.support.packages import installed, put_example, put_module
from tests.support.scenes.reader import Reader
from tests.support.scenes.worker import Point
from tests.support.servers import wait_until
from tests.support.serving import served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.scenes.stage import Stage

ERRORS, TIMES = "errors-by-kind", "time-by-step"
JOBS = [f"job-{number}" for number in range(4)]
POINTS = (Point.POINTERS_READ, Point.ENTRIES_READ, Point.APPLIED, Point.WRITTEN, Point.COMMITTED)
SHORT = 0.6
on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    site = put_example(tmp_path / "site")
    with installed(site):
        yield site


def fail(stage: Stage, job: str, count: int) -> None:
    """Report errors, and a step that goes on."""
    for number in range(count):
        stage.append(
            job,
            [
                events.message(f"Row {number} is bad", "danger", at=number),
                events.progress(number, step="fit", at=number),
            ],
        )


def wait_until_rebuilt(stage: Stage, name: str) -> list[tuple[str | None, str | None]]:
    wait_until(lambda: stage.store.rebuilds.count_due(name) == 0)
    return [(one.outcome, one.difference) for one in stage.store.rebuilds.asked(name)]


@on_sqlite
def test_it_is_folded_exactly_once_under_kills_rebuilt_and_verified(
    open_stage: Callable[..., Stage], site: Path
) -> None:
    stage = open_stage(SHORT, partitions=2)
    for number, point in enumerate(POINTS):
        struck = stage.consume((ERRORS, TIMES)[number % 2], point=point)
        for job in JOBS:
            fail(stage, job, 3)
        assert struck.was_killed()
    stage.consume("all")
    for job in JOBS:
        fail(stage, job, 2)
    stage.wait_until_caught_up()

    tally = stage.compare()
    assert tally.problems == []
    with closing(open_views(stage.settings)) as opened:
        found = opened.view(ERRORS, JOBS[0], limit=1000)
    assert found is not None
    assert [kind["count"] for kind in found.state["kinds"].values()] == [3 * len(POINTS) + 2]

    assert stage.store.rebuilds.ask(ERRORS) == len(JOBS)
    assert wait_until_rebuilt(stage, ERRORS) == [("rebuilt", None)] * len(JOBS)
    assert stage.store.rebuilds.ask(ERRORS, is_rollback=True) == len(JOBS)
    assert wait_until_rebuilt(stage, ERRORS) == [("rolled back", None)] * len(JOBS)
    assert stage.compare(projections=[ERRORS]).problems == []

    with closing(open_auditor(stage.settings)) as auditor:
        report = auditor.verify(JOBS[0])
    assert report.findings == []
    assert report.views[ERRORS] is not None
    assert report.views[TIMES] is not None


@pytest.fixture
def filled(open_stage: Callable[..., Stage], site: Path) -> Stage:
    """Have two jobs, one with three errors, in both views."""
    stage = open_stage(60, partitions=2)
    stage.consume("all")
    fail(stage, JOBS[0], 3)
    fail(stage, JOBS[1], 1)
    stage.wait_until_caught_up()
    return stage


@on_sqlite
def test_python_reads_it_page_by_page_and_as_it_was(filled: Stage) -> None:
    stream = JobStream(JOBS[0], filled.settings)

    first = stream.view(ERRORS, limit=2)
    assert first is not None
    rest = stream.view(ERRORS, after=first.next or 0)
    assert rest is not None
    assert [row["text"] for row in (*first.rows, *rest.rows)] == [
        f"Row {number} is bad" for number in range(3)
    ]
    assert (len(first.rows), rest.next) == (2, None)
    before = stream.view(TIMES, events.START + events.SECOND)
    assert before is not None
    assert before.state["steps"]["fit"]["seconds"] == 1.0
    with pytest.raises(LookupError, match="no view 'run-state' of another package; there is err"):
        stream.view("run-state")
    assert JobStream("never", filled.settings).view(ERRORS) is None


@on_sqlite
def test_the_api_shows_it_and_its_frames_come_live(filled: Stage, tmp_path: Path) -> None:
    job, other = JOBS[:2]
    with (
        served(create_app(filled.settings)) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api", timeout=30) as api,
    ):
        listed = api.get("/views").json()["views"]
        assert [(one["name"], one["is_public"], one["fault"]) for one in listed] == [
            (ERRORS, False, None),
            (TIMES, True, None),
        ]
        shown = api.get(f"/jobs/{job}/views/{ERRORS}", params={"limit": 2}).json()
        assert shown["state"]["kinds"]["Row # is bad"]["count"] == 3
        assert ([row["text"] for row in shown["rows"]], shown["next"]) == (
            ["Row 0 is bad", "Row 1 is bad"],
            1,
        )
        page = api.get(f"/views/{TIMES}", params={"limit": 1}).json()
        assert ([one["job_id"] for one in page["jobs"]], page["next"]) == ([job], job)
        page = api.get(f"/views/{TIMES}", params={"after": page["next"]}).json()
        assert ([one["job_id"] for one in page["jobs"]], page["next"]) == ([other], None)
        for path in (f"/jobs/never/views/{ERRORS}", f"/jobs/{job}/views/run-state", "/views/x"):
            assert api.get(path).status_code == 404, path
        _read_from_afar(filled, job, Settings(url=f"http://127.0.0.1:{port}", data_dir=tmp_path))
        _follow(filled, job, Reader(port, job, query=f"view={TIMES}&view={ERRORS}"))
        refused = Reader(port, job, query="view=never").connect()
        while not refused.status:
            refused.receive()
        assert refused.status == 404
        refused.leave()


def _read_from_afar(stage: Stage, job: str, far: Settings) -> None:
    """Have from an API what is had from the store."""
    at = events.START + events.SECOND
    near, distant = (JobStream(job, settings) for settings in (stage.settings, far))
    asked: list[tuple[Any, ...]] = [(ERRORS, None, -1, 2), (ERRORS, None, 1), (TIMES, at)]
    for name, moment, *page in asked:
        more = dict(zip(("after", "limit"), page, strict=False))
        assert distant.view(name, moment, **more) == near.view(name, moment, **more) is not None
    assert JobStream("never", far).view(ERRORS) is None
    with pytest.raises(LookupError, match="no view 'never' of another package; there is errors-by"):
        distant.view("never")


def _follow(stage: Stage, job: str, reader: Reader) -> None:
    """See frames of both views, first as they are, then as they become."""
    shown: dict[str, Any] = {}

    def has_come(seconds: float, count: int) -> bool:
        reader.receive()
        shown.update({one.data["view"]: one.data for one in reader.sent if one.event == "view"})
        return len(shown) == 2 and (
            shown[TIMES]["state"]["steps"]["fit"]["seconds"],
            sum(kind["count"] for kind in shown[ERRORS]["state"]["kinds"].values()),
        ) == (seconds, count)

    reader.connect()
    wait_until(partial(has_come, 2.0, 3))
    stage.append(job, [events.progress(9, step="fit", at=60), events.message("no", "danger")])
    wait_until(partial(has_come, 60.0, 4))
    reader.leave()


VERSIONED = """
from typing import NamedTuple
from synapse_stream import JobView

class Row(NamedTuple):
    {fields}

class V(JobView):
    name, version, row = "versioned", {version}, Row

    def begin(self):
        return {{"count": 0}}

    def apply(self, delivery):
        for event in delivery.events:
            self.state["count"] += {version}
            self.rows.append(Row(*{values}))
"""


@pytest.mark.parametrize("store_url", ["sqlite", "postgres"], indirect=True)
def test_another_version_rebuilds_and_what_does_not_fit_waits(
    open_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = open_stage(60, partitions=1)
    job = JOBS[0]
    fail(stage, job, 2)

    def project(version: int, fields: str, values: str, said: str | None = None) -> Any:
        text = VERSIONED.format(version=version, fields=fields, values=values)
        site = put_module(tmp_path / str(version), "versioned", text, {"versioned": "versioned:V"})
        with installed(site):
            consumer = stage.consume("versioned")
            if said is None:
                stage.wait_until_caught_up(["versioned"])
                wait_until_rebuilt(stage, "versioned")
                wait_until(lambda: read().version == version)
            else:
                consumer.wait_until_said(said)
            found = read()
            consumer.stop()
        return found

    def read() -> Any:
        with closing(open_views(stage.settings)) as opened:
            return opened.view("versioned", job)

    one = project(1, "order: str", "('a',)")
    two = project(2, "order: str\n    Kind: int | None\n    at: float", "('b', 2, 0.5)")
    odd = project(3, "order: int", "(1,)", said="versioned waits: the column 'order' of the view")

    assert (one.state, one.rows[0]) == ({"count": 4}, {"order": "a"})
    assert (two.state, two.rows[0]) == ({"count": 8}, {"order": "b", "Kind": 2, "at": 0.5})
    assert len(two.rows) == 4
    assert (odd.state, odd.rows) == ({"count": 8}, [])
    assert "give it another name" in odd.fault
    with installed(tmp_path / "3"), closing(open_auditor(stage.settings)) as auditor:
        found = auditor.verify(job)
        assert "versioned" in [one.what for one in found.findings]
    assert views.installed() == ()


SLOW = """
import time
from synapse_stream import JobView

class V(JobView):
    name, version = "slow", 1

    def begin(self):
        return {"count": 0}

    def apply(self, delivery):
        for event in delivery.events:
            time.sleep(0.03)
            self.state["count"] += 1
"""


@on_sqlite
def test_one_that_takes_longer_than_a_lease_keeps_it_and_delays_nobody(
    open_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    stage = open_stage(0.3, partitions=1)
    for _ in range(4):
        fail(stage, JOBS[0], 10)
    with installed(put_module(tmp_path / "site", "slow", SLOW, {"slow": "slow:V"})):
        both = [stage.consume("slow") for _ in range(2)]
        stage.consume("run-state")
        stage.wait_until_caught_up(["run-state"])
        assert not stage.is_caught_up(["slow"])
        stage.wait_until_caught_up(["slow"])

        assert stage.compare(projections=["slow"]).problems == []
    assert sum(one.said("slow is slow: it took ") for one in both) == 1
    assert [one.said("has lost partition") for one in both] == [0, 0]
