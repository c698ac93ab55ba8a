"""Reading on in a stream that may not be the one that was read."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import orjson
import pytest

from consumers.api.live.tracker import Tracker
from consumers.folding.fold import JobFold
from consumers.views.opening import open_archive
from consumers.views.run_state.fold import RunStateView
from synapse_stream.entries.batch import encode_fields
from synapse_stream.reading.job_reader import JobReader
from tests.live.conftest import STARTED, Deployment, message
from tests.live.lines import places
from tests.support.chains import Chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.entries.batch import Batch

REWIND_MS = 1_000


class Reading:
    """A tracker on a stream whose entries a test sets as it likes."""

    def __init__(self, deployment: Deployment, job: str) -> None:
        self.key = deployment.log.keys.job(job)
        self.tracker = Tracker(job, JobFold(RunStateView, job, None))
        self._deployment = deployment
        self._reader = JobReader(deployment.log, lambda: open_archive(deployment.settings))

    def add(self, entry: str, batch: Batch) -> None:
        flat = [part for field in encode_fields(batch).items() for part in field]
        self._deployment.server.command("XADD", self.key, entry, *flat)

    def command(self, *words: str) -> None:
        self._deployment.server.command(words[0], self.key, *words[1:])

    def numbers(self) -> list[int] | None:
        """Read on; return the numbers of the events that came, None for another stream."""
        text = b""
        has_more = True
        while has_more:
            found = self.tracker.read(self._reader)
            if found.is_lost:
                return None
            text += b"".join(frame.data for frame in found.frames)
            has_more = found.has_more
        contents = [part.partition(b"\n")[0] for part in text.split(b"data: ")[1:]]
        assert len(contents) == len(places(text))
        return [orjson.loads(d)["event"]["seq"] for d in contents]

    def find_place(self) -> None:
        self.tracker.find_place(self._reader, REWIND_MS)

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
def stream(deployment: Deployment, job: str) -> Iterator[Reading]:
    with closing(Reading(deployment, job)) as reading:
        yield reading


@pytest.fixture
def chain(job: str) -> Chain:
    return Chain(job)


def test_another_entry_under_the_same_id_is_noticed(stream: Reading, chain: Chain) -> None:
    stream.add("5000-0", chain.add(STARTED))
    stream.add("5000-1", chain.add(message(1)))
    stream.add("5000-2", chain.add(message(2)))
    assert stream.numbers() == [0, 1, 2]

    stream.command("DEL")
    stream.add("5000-0", chain.batches[0])
    again = Chain(chain.job_id)
    again.batches = chain.batches[:1]
    stream.add("5000-1", again.add(message(1), message(2), message(3)))
    stream.add("5000-2", again.add(message(4)))
    stream.add("5000-3", again.add(message(5)))

    assert stream.numbers() is None
    stream.find_place()
    assert str(stream.tracker.position) == "5000-0.0"
    assert stream.numbers() == [3, 4, 5]


def test_a_tail_that_is_lost_is_noticed_although_ids_go_on(stream: Reading, chain: Chain) -> None:
    stream.add("5000-0", chain.add(STARTED))
    stream.add("6000-0", chain.add(message(1)))
    assert stream.numbers() == [0, 1]

    stream.command("XDEL", "6000-0")
    stream.add("7000-0", chain.batches[1])
    stream.add("7001-0", chain.add(message(2)))

    assert stream.numbers() is None
    stream.find_place()
    assert str(stream.tracker.position) == "7000-0.0"
    assert stream.numbers() == [2]


def test_a_stream_that_was_trimmed_up_to_here_goes_on(stream: Reading, chain: Chain) -> None:
    other = Chain(chain.job_id, "another")
    stream.add("5000-0", chain.add(STARTED))
    assert stream.numbers() == [0]

    stream.add("5001-0", chain.add(message(1), message(2)))
    stream.add("5002-0", other.add(STARTED))
    stream.command("XTRIM", "MINID", "5001-0")

    assert stream.numbers() == [1, 2, 0]


def test_a_stream_that_was_trimmed_beyond_is_another_one(stream: Reading, chain: Chain) -> None:
    stream.add("5000-0", chain.add(STARTED))
    assert stream.numbers() == [0]

    stream.add("5001-0", chain.add(message(1)))
    stream.add("5002-0", chain.add(message(2)))
    stream.command("XTRIM", "MINID", "5002-0")

    assert stream.numbers() is None
    stream.find_place()
    assert stream.numbers() == [2]


def test_a_stream_that_is_empty_now_is_another_one(stream: Reading, chain: Chain) -> None:
    stream.add("5000-0", chain.add(STARTED))
    assert stream.numbers() == [0]

    stream.command("DEL")

    assert stream.numbers() is None
    stream.find_place()
    stream.add("100-0", chain.batches[0])
    stream.add("4999-9", chain.add(message(1)))
    assert stream.numbers() == [1]
