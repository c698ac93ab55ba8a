"""`show --view`, and what commands say of views of other packages that are not as they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from consumers import views
from consumers.views.of_packages.view import Installed
from synapse_stream import JobStream
from synapse_stream.log.event_log import open_log
from tests.support import events
from tests.support.chains import Chain
from tests.support.packages import installed, put_example, put_module
from tests.support.projecting import Consumers, project
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synapse_stream.settings import Settings
    from tests.support.commands import Said
    from tests.support.servers import TestServer

JOB, ERRORS = "job-42", "errors-by-kind"


@pytest.fixture(autouse=True)
def filled(settings: Settings, tmp_path: Path) -> Iterator[None]:
    """Have a job with two errors, and packages with two good views and one bad one."""
    site = put_example(tmp_path / "site")
    put_module(site, "bad", "import nothing_of_this_name", {"gone": "bad:V"})
    log = open_log(settings)
    texts = ["Row 1 is\x1b[31m bad", "Row 2 is bad"]
    told = [events.message(text, "danger", at=number) for number, text in enumerate(texts)]
    odd = {"type": "message", "v": 1, "level": "danger"}
    log.append(Chain(JOB).add(events.started(), *told, odd))
    log.close()
    with installed(site):
        project(settings)
        yield


def test_a_state_is_shown_and_its_rows_below(command: Callable[..., Said]) -> None:
    said = command("show", JOB, "--view", ERRORS)

    assert (said.code, said.err) == (0, "")
    state, _, table = said.out.partition("\nKIND")
    assert orjson.loads(state)["kinds"]["Row # is bad"]["count"] == 1
    assert "\x1b" not in said.out
    assert [line.split()[-4:] for line in table.splitlines()[1:3]] == [
        ["Row", "1", "is", "bad"],
        ["Row", "2", "is", "bad"],
    ]
    assert said.lines[-1] == ("events not understood: 1; see synapse-stream parked list")


def test_json_has_all_rows_and_a_state_of_before_has_none(command: Callable[..., Said]) -> None:
    (found,) = command("show", JOB, "--view", ERRORS, "--json").objects
    (before,) = command("show", JOB, "--view", ERRORS, "--json", "--at", str(events.START)).objects

    assert [row["time"] for row in found["rows"]] == [events.START, events.START + events.SECOND]
    assert (found["job_id"], found["view"], found["version"]) == (JOB, ERRORS, 1)
    assert (found["next"], found["parked"], found["fault"]) == (None, 1, None)
    assert (before["rows"], before["parked"]) == ([], 0)
    assert sum(kind["count"] for kind in before["state"]["kinds"].values()) == 1


@pytest.mark.parametrize(
    ("asked", "code", "reason"),
    [
        (
            (JOB, "--view", "never"),
            2,
            "no view 'never' of another package; there is errors-",
        ),
        ((JOB, "--view", "run-state"), 2, "no view 'run-state' of another package"),
        ((JOB, "--view", "gone"), 2, "the view 'gone' of bad is left out: bad:V cannot be loaded"),
        (("job-43", "--view", ERRORS), 1, "errors-by-kind has nothing of job 'job-43'"),
        ((JOB, "--view", ERRORS, "--at", "1"), 1, "job 'job-42' had no events at 1"),
    ],
)
def test_what_is_not_there_is_said(
    command: Callable[..., Said], asked: tuple[str, ...], code: int, reason: str
) -> None:
    said = command("show", *asked)

    assert (said.code, said.out) == (code, "")
    assert reason in " ".join(said.err.split())


def test_doctor_names_a_view_that_is_left_out(command: Callable[..., Said]) -> None:
    said = command("doctor", "--json")

    found = [one for one in said.objects[0]["findings"] if one["subject"] == "views"]
    assert [one["verdict"] for one in found] == ["problem"]
    assert "bad:V cannot be loaded: ModuleNotFoundError" in found[0]["text"]


def test_a_view_that_comes_later_has_imported_runs_too(
    command: Callable[..., Said],
    settings: Settings,
    server: TestServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They are in the archive only: no stream and no feed has them."""
    file = str(tmp_path / "job.jsonl.zst")
    assert command("export", JOB, "-o", file).code == 0
    there = settings.model_copy(update={"namespace": f"{settings.namespace}-2"})
    there = there.model_copy(update={"data_dir": tmp_path / "there"})
    monkeypatch.setenv("SYNAPSE_STREAM_NAMESPACE", there.namespace)
    monkeypatch.setenv("SYNAPSE_STREAM_DATA_DIR", str(there.data_dir))
    with monkeypatch.context() as patched:
        patched.setattr(views, "others", lambda: Installed({}, {}))
        assert command("import", file).code == 0

    with Consumers(there, [views.find(ERRORS).rules]):
        stream = JobStream(JOB, there)
        found = wait_until(lambda: stream.view(ERRORS))

    assert len(found.rows) == 2
    with server.client() as client:
        client.flushall()  # of the other namespace
