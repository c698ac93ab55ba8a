"""What is stored is replaced by anything: a finding on that job, which costs no other one."""

from __future__ import annotations

from contextlib import closing, contextmanager
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from consumers.api.app import create_app
from synapse_stream.cli.operate.projection_findings import examine_projections
from synapse_stream.ports.audit import open_auditor
from synapse_stream.ports.projections import projections
from tests.support.answers import ask, differences
from tests.support.copies import ARCHIVE, Copies, anything
from tests.support.events import message, metrics, progress, started
from tests.support.projecting import Consumers, project
from tests.support.servers import wait_until
from tests.support.serving import asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import httpx

    from synapse_stream.settings import Settings
    from tests.support.answers import Told
    from tests.support.copies import Cell
    from tests.support.scenes.stage import Stage

pytestmark = pytest.mark.timeout(300)  # many threads, and perhaps other load

JOBS = [f"job-{number}" for number in range(9)]
BYTES = [
    *[("job", "document")] * 3,
    *[("chunk", "body"), ("chunk", "outline"), ("block", "body")],
]
"""Each is damaged in a job of its own; the other jobs are not."""


class Deployment(NamedTuple):
    """A store to be damaged, and a twin of it that is not."""

    stage: Stage
    twin: Settings
    api: httpx.Client
    sound: httpx.Client

    def report(self, number: int) -> None:
        """Have every job go on a bit; the twin takes it in."""
        for job in JOBS:
            values = [metrics({"loss": number + line / 10}, time=number) for line in range(3)]
            told = [message(f"{job} says {number}"), progress(number, step="fit")]
            self.stage.append(job, [*([started()] if number == 0 else []), *values, *told])
        project(self.twin)

    @contextmanager
    def projected(self) -> Iterator[None]:
        """Let consumers take it all in, and make anew what was found damaged before and since."""
        with Consumers(self.stage.settings) as consumers:
            consumers.catch_up()
            yield
            wait_until(lambda: not self.rebuilds_due())

    def rebuilds_due(self) -> int:
        """Return how many jobs are still to be folded anew."""
        return sum(map(self.stage.store.rebuilds.count_due, projections().folded()))

    def expected(self) -> dict[str, Told]:
        """Return what the sound store tells."""
        return ask(self.sound, JOBS)

    def found(self) -> dict[str, Told]:
        """Return what the damaged store tells."""
        return ask(self.api, JOBS)

    def verified(self, job: str) -> Sequence[str]:
        """Return what of a job differs from what was recorded."""
        with closing(open_auditor(self.stage.settings)) as auditor:
            return [found.what for found in auditor.verify(job).findings]


@pytest.fixture
def deployment(open_stage: Callable[..., Stage], tmp_path: Path) -> Iterator[Deployment]:
    stage = open_stage(2.0, partitions=2)
    twin = stage.settings.model_copy(update={"data_dir": tmp_path / "twin", "store_url": None})
    with asked(create_app(stage.settings)) as api, asked(create_app(twin)) as sound:
        made = Deployment(stage, twin, api, sound)
        for number in range(2):
            made.report(number)
            project(stage.settings)
        yield made


def test_what_is_damaged_is_a_finding_on_its_job_and_all_others_are_answered_as_before(
    deployment: Deployment, tmp_path: Path
) -> None:
    random = Random(f"{deployment.stage.settings.store_url is None}")
    copies = Copies(deployment.stage.settings, tmp_path / "kept")
    cells = copies.cells()
    sound = random.sample(JOBS, len(JOBS))
    damaged = {}
    for column in BYTES:
        cell = random.choice(
            [one for one in cells if (one.table, one.column) == column and one.job == sound[-1]]
        )
        value = anything(copies, cell, cells, random)
        if copies.replace(cell, value):
            damaged[sound.pop()] = f"{cell.place} {cell.table}.{cell.column} = {value!r:.60}"

    deployment.report(2)
    with deployment.projected():
        expected, found = deployment.expected(), deployment.found()
    healed = deployment.found()

    for job in sound:
        assert differences(expected[job], found[job]) == [], damaged
        assert not found[job].says_so, damaged
    for job, what in damaged.items():
        said_so = found[job].says_so or deployment.verified(job)
        assert said_so or differences(expected[job], found[job]) == [], what
        assert healed[job].says_so <= {ARCHIVE}, what
    assert any(found[job].says_so for job in damaged), damaged


def cell_of(copies: Copies, job: str, table: str, column: str, view: str | None = None) -> Cell:
    """Return where something is stored of a job, in `job` of one view."""
    return next(
        one
        for one in copies.cells()
        if (one.table, one.column, one.job) == (table, column, job)
        and (view is None or copies.projection(one) == view)
    )


def test_damage_is_told_of_everywhere_and_mended(deployment: Deployment, tmp_path: Path) -> None:
    chunk, unread, lost, *others = JOBS
    api, name = deployment.api, "metric-history"
    copies = Copies(deployment.stage.settings, tmp_path / "kept")
    assert copies.replace(cell_of(copies, chunk, "chunk", "body"), b"\0")
    assert copies.replace(cell_of(copies, unread, "job", "document", "run-state"), b"{")
    assert copies.replace(cell_of(copies, lost, "job", "job_id", "message-feed"), "another")

    points = {job: api.get(f"/api/jobs/{job}/metrics?points=0") for job in JOBS}
    page = api.get(f"/api/jobs/{unread}")
    listed = {row["job_id"]: row["damaged"] for row in api.get("/api/jobs").json()["jobs"]}
    numbers = api.get("/metrics").text
    findings = [one.text for one in examine_projections(deployment.stage.settings)]
    verified = {job: deployment.verified(job) for job in JOBS[:4]}
    with deployment.projected():
        pass
    expected, after = deployment.expected(), deployment.found()

    assert f"{name} of job {chunk!r} is damaged" in points[chunk].json()["detail"]
    assert (points[chunk].status_code, page.status_code) == (503, 503)
    assert all(answer.is_success for job, answer in points.items() if job != chunk)
    assert listed == {chunk: [name], unread: ["run-state"], lost: []} | {job: [] for job in others}
    for view, job in ((name, chunk), ("run-state", unread)):
        assert f'synapse_stream_damaged_jobs{{projection="{view}"}} 1.0' in numbers
        assert any(text.startswith(f"{view} of job {job!r} is damaged") for text in findings)
    assert verified == {
        chunk: [name],
        unread: ["run-state"],
        lost: ["message-feed"],
        others[0]: [],
    }
    for job in (chunk, unread, *others):
        assert differences(expected[job], after[job]) == []
        assert not after[job].says_so
