"""Large documents: a commit writes what it has changed, and what is read is what was folded."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from consumers.api.shapes import summary
from consumers.folding import canonical
from consumers.store import documents, generations
from consumers.store.documents import Bases, framed, whole
from consumers.store.schema import change, job
from consumers.store.table import Table
from tests.store.jobs import RUN_STATE, Committer, started
from tests.support import dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from consumers.store.store import Store

RANKS, STEPS = 64, 100
MOST_A_STEP = 640  # bytes of a change, for each step that has moved since


def progress(rank: int, step: int, current: int) -> dict[str, Any]:
    return {"type": "progress", "current": current, "total": 100, "step": f"step {rank} {step}"}


def sizes(store: Store) -> tuple[int, int]:
    """Return how many bytes are stored of the only document, and of its change."""
    with store.databases.of("run-state").read("test") as connection:
        query = select(func.length(job.c.document), func.length(change.c.body))
        row = connection.execute(
            query.outerjoin_from(job, change, change.c.job_no == job.c.no)
        ).one()
    return int(row[0]), int(row[1] or 0)


@pytest.fixture
def large(store: Store) -> Committer:
    """Commit a run of many steps, whose document is large."""
    committer = Committer(store, RUN_STATE)
    steps = [progress(0, step, 1) for step in range(999)]
    committer.commit({"job": [started(), *steps]})
    assert len(committer.folds["job"].document()) > 2 * documents.LARGE
    return committer


def test_of_a_large_document_a_commit_writes_what_it_has_changed(
    large: Committer, store: Store
) -> None:
    base, _ = sizes(store)
    for current in range(2, 10):
        large.commit({"job": [progress(0, current, current)]})

        document, changed = sizes(store)
        assert document == base
        assert 0 < changed < MOST_A_STEP * (current - 1)
        assert store.jobs.load("run-state", ["job"]) == {"job": large.folds["job"].document()}


def test_what_has_changed_much_is_written_anew(
    large: Committer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_MOST_CHANGED", 2_000)
    seen = set()
    for current in range(2, 40):
        large.commit({"job": [progress(0, step, current) for step in range(20)]})
        seen.add(sizes(store)[1] > 0)

        assert sizes(store)[1] <= 2_000
        assert store.jobs.load("run-state", ["job"]) == {"job": large.folds["job"].document()}
    assert seen == {True, False}


def test_what_has_come_since_is_not_written_again_and_again() -> None:
    chance = random.Random(1)
    content = {str(number): chance.random() for number in range(20_000)}
    bases, spent = Bases(), []
    whole_bytes = len(framed(orjson.dumps(content)))
    for number in range(60):
        if number < 5:
            content |= {f"{number}-{i}": chance.random() for i in range(1_000)}
        content["last"] = number
        plan = bases.plan("view", "job", orjson.dumps(content))
        bases.note("view", {"job": 1})
        spent.append(len(plan.document or plan.change or b""))

    assert max(spent[1:5]) < documents._MOST_CHANGED
    assert sum(spent) < 8 * whole_bytes
    assert max(spent[-20:]) < 2_000


def test_who_takes_over_goes_on_with_all_of_it(
    large: Committer, store: Store, new_store: Callable[[], Store]
) -> None:
    large.commit({"job": [progress(0, 1, 50)]})
    store.leases.release(large.lease)
    other = new_store()
    again = Committer(other, RUN_STATE, owner="another")
    again.numbers, again.ms = dict(large.numbers), large.ms
    again.commit({"job": [progress(0, 2, 60)]})
    again.commit({"job": [progress(0, 3, 70)]})

    assert store.jobs.load("run-state", ["job"]) == {"job": again.folds["job"].document()}


def test_a_commit_that_failed_is_no_base(
    large: Committer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(documents, "_MOST_CHANGED", 0)  # it would have written a new base
    monkeypatch.setattr("consumers.store.parked.add", fail)
    with pytest.raises(RuntimeError):
        large.commit({"job": [progress(0, 1, 50)]})
    monkeypatch.undo()
    large.commit({"job": [progress(0, 2, 60)]})
    large.commit({"job": [progress(0, 3, 70)]})

    assert store.jobs.load("run-state", ["job"]) == {"job": large.folds["job"].document()}


def test_a_list_a_state_and_an_audit_read_all_of_it(
    large: Committer, store: Store, views: Any
) -> None:
    large.commit({"job": [progress(0, 1, 50)]})

    (listed,) = views.jobs()
    state = views.state("job")
    assert views.listed(["job", "unknown"]) == {"job": listed}
    assert summary(listed, 0, None) == summary(state, 0, None)
    assert (len(listed.latest.ranks), len(state.latest.ranks)) == (0, 1)
    assert state.latest.steps[1].current == 50
    document = large.folds["job"].document()
    assert dumps.dump(store, "run-state", "job") == canonical.of_document(document)


def test_a_job_that_is_cleared_leaves_nothing(large: Committer, store: Store) -> None:
    large.commit({"job": [progress(0, 1, 50)]})
    with store.databases.of("run-state").write("test") as connection:
        assert generations._clear(connection, Table(), "run-state", "job")
        left = connection.execute(select(func.count()).select_from(change)).scalar_one()

    assert left == 0


@given(seed=st.integers(0, 2**32), rounds=st.integers(1, 12))
def test_whatever_becomes_of_a_document_is_read_as_it_is(seed: int, rounds: int) -> None:
    chance = random.Random(seed)
    bases, stored, changed = Bases(), b"", None
    content: dict[str, Any] = {}
    for _ in range(rounds):
        for _ in range(chance.choice([1, 20, 3000])):
            content[f"{chance.randrange(5000)}"] = chance.random()
        for name in list(content)[: chance.choice([0, 0, 4000])]:
            del content[name]
        document = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
        plan = bases.plan("view", "job", document)
        if plan.document is not None:
            stored, changed = plan.document, None
        else:
            changed = plan.change
        bases.note("view", {"job": 1} if plan.document is not None else {})

        assert whole(stored, changed) == document


@pytest.mark.parametrize("at", [5, 1000, -1])
def test_what_is_damaged_is_no_document(at: int) -> None:
    document = orjson.dumps({str(number): number for number in range(20_000)})
    bases = Bases()
    stored = bytearray(bases.plan("view", "job", document).document or b"")
    bases.note("view", {"job": 1})
    changed = bytearray(bases.plan("view", "job", document[:-1] + b',"x":1}').change or b"")
    for damaged in (stored, changed):
        damaged[at if abs(at) < len(damaged) else len(damaged) // 2] ^= 1
    for pair in ((stored, None), (framed(document), changed)):
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(whole(*pair))
