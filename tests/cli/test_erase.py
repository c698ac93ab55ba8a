"""`erase`: a line goes from everywhere, and what is left of the run is proved as before."""

from __future__ import annotations

import io
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from synapse_stream.entries.position import BEGINNING
from synapse_stream.exports.exact import write_exact
from synapse_stream.ports.audit import open_auditor
from synapse_stream.reading.stream import JobStream
from tests.support import events
from tests.support.chains import Chain
from tests.support.projecting import Consumers
from tests.support.raw import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.ports.audit import Report
    from synapse_stream.settings import Settings
    from tests.support.commands import Said

CANARY = "canary-7f3a, born in Ghent"


@pytest.fixture
def run(log: EventLog) -> Chain:
    """Record a run, of which a message and the error at its end tell of a person."""
    chain = Chain("job-1")
    log.append(chain.add(events.started(labels={"team": "legal"}), events.message("begins")))
    log.append(chain.add(*[{"type": "metrics", "values": {"loss": n}} for n in range(5)]))
    log.append(chain.add(events.message(CANARY), events.message("goes on")))
    ended = events.ended(status="failed") | {"error": CANARY, "count": chain.last + 2}
    log.append(chain.add(ended))
    return chain


def positions(settings: Settings) -> list[str]:
    return [
        str(one.position)
        for one in JobStream("job-1", settings=settings).read()
        if CANARY in str(one.event)
    ]


def verified(settings: Settings) -> Report:
    with closing(open_auditor(settings)) as auditor:
        return auditor.verify("job-1")


def remains(settings: Settings) -> list[str]:
    """Name the files of the store that still have it, as it is or in a frame."""
    return [
        path.name
        for path in settings.data_dir.rglob("*")
        if path.is_file() and "spool" not in str(path) and CANARY.encode() in path.read_bytes()
    ]


def exported(settings: Settings) -> bytes:
    file, stream = io.BytesIO(), JobStream("job-1", settings=settings)
    write_exact("job-1", stream.entries(), file, stream.joins(), stream.erasures())
    return zstandard.ZstdDecompressor().decompressobj().decompress(file.getvalue())


@pytest.mark.usefixtures("run")
def test_lines_go_from_everywhere_and_the_run_stays_intact(
    command: Callable[..., Said], settings: Settings
) -> None:
    with Consumers(settings) as consumers:
        consumers.catch_up()
        was_there, found = remains(settings), positions(settings)
        asked = [word for one in found for word in ("--position", one)]
        said = command("erase", "job-1", *asked, "--reason", "a person asked for it")
        report, text = verified(settings), command("verify", "job-1").out

    assert was_there
    assert (said.code, said.lines[0]) == (0, "2 of 2 lines of job-1 erased")
    assert report.findings == []
    assert report.verdict == "intact"
    assert "intact, 2 of 10 lines erased at 20" in text
    assert "because a person asked for it" in text
    assert positions(settings) == []
    assert CANARY.encode() not in exported(settings)
    assert remains(settings) == []
    assert [one.event.type for one in JobStream("job-1", settings=settings).read()][-3:] == [
        "erased",
        "message",
        "end",
    ]


@pytest.mark.usefixtures("run")
def test_a_line_that_is_not_there_is_not_erased(
    command: Callable[..., Said], settings: Settings
) -> None:
    with Consumers(settings) as consumers:
        consumers.catch_up()
        said = command("erase", "job-1", "--position", "17-0.3", "--reason", "asked")

    assert said.code == 1
    assert "not done: the archive has no line of job 'job-1' at 17-0.3" in said.out


@pytest.mark.parametrize("held", [("job-1",), ("--label", "team=legal")], ids=["job", "label"])
@pytest.mark.usefixtures("run")
def test_of_a_job_that_is_held_nothing_is_erased(
    command: Callable[..., Said], settings: Settings, held: tuple[str, ...]
) -> None:
    with Consumers(settings) as consumers:
        assert command("hold", *held, "--reason", "a case").code == 0
        consumers.catch_up()
        (asked, _) = positions(settings)
        said = command("erase", "job-1", "--position", asked, "--reason", "asked")

    assert said.code == 1
    assert "is held" in said.err
    assert "is held" in command("trail", "--act", "erase", "--json").out
    assert len(positions(settings)) == 2


def test_a_hold_on_another_label_is_none_and_unknown_labels_are_one(
    command: Callable[..., Said], run: Chain, settings: Settings
) -> None:
    with Consumers(settings) as consumers:
        assert command("hold", "--label", "team=other", "--reason", "a case").code == 0
        unknown = command("erase", "job-0", "--position", "17-0.3", "--reason", "asked")
        consumers.catch_up()
        known = command("erase", run.job_id, "--position", "17-0.3", "--reason", "asked")

    assert "is held by a label, or may be" in unknown.err
    assert "the archive has no line" in known.out


def test_without_a_consumer_it_is_said_that_it_will_be_done_later(
    command: Callable[..., Said],
    run: Chain,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("synapse_stream.cli.operate.erase._GONE_SECONDS", 0.1)
    with Consumers(settings) as consumers:
        consumers.catch_up()
    said = command("erase", run.job_id, "--position", "17-0.3", "--reason", "asked")

    assert said.code == 1
    assert "nobody archives at the moment" in said.err


def test_what_comes_again_after_a_lost_tail_stays_erased(
    command: Callable[..., Said], log: EventLog, settings: Settings
) -> None:
    run = Chain("job-1")
    told: list[list[dict[str, Any]]] = [
        [events.started(attempt=1)],
        [{}],
        [{}, events.message(CANARY)],
        [{}, {}],
    ]
    for batch in told:
        log.append(run.add(*batch))
    with Consumers(settings) as consumers:
        consumers.catch_up()
        asked = [word for one in positions(settings) for word in ("--position", one)]
        assert command("erase", "job-1", *asked, "--reason", "asked").code == 0
        head, lost, run.batches = run.batches[1], run.batches[2:], run.batches[:2]
        known = head.hash + str(head.last).encode()
        client_of(log).execute_command("HSET", log.keys.producers("job-1"), run.producer, known)
        lines = [line + b"\n" for batch in lost for line in batch.lines()]
        for some in (lines[:1], lines[1:]):  # in other cuts, as producers do
            log.append(run.add_data(b"".join(some), len(some)))
        log.append(run.add({}))
        consumers.catch_up()
        there_again = CANARY in str(log.read_after("job-1", BEGINNING))
        said = command("erase", "job-1", *asked, "--reason", "asked")
        report = verified(settings)

    assert there_again
    assert said.code == 0
    assert report.findings == []
    assert CANARY not in str(log.read_after("job-1", BEGINNING))
    assert positions(settings) == []
    assert CANARY.encode() not in exported(settings)
    assert remains(settings) == []
