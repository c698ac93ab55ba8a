"""Small batches wait for company while the server is slow, and never while it is quick."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.entries.answers import Ack, Outcome
from synapse_stream.entries.batch import GENESIS, Batch
from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import open_log
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.producer.lane import Lane
from synapse_stream.producer.shipping.pace import LONGEST_WAIT_SECONDS, Pace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.errors import ConfigError
    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.settings import Settings

SMALL, LARGE = b"x" * 100, b"x" * 1024 * 1024


@pytest.mark.parametrize(
    ("answers", "wait"),
    [
        ([], 0.0),
        ([0.001] * 20, 0.0),
        ([0.009] * 20, 0.0),
        ([1.0] * 7, 0.0),  # too few to judge by
        ([*[1.0] * 19, 0.001], 0.0),  # one that was quick is enough
        ([0.012] * 8, 0.05),
        ([0.016, *[0.5] * 7], 0.15),
        ([5.0] * 8, LONGEST_WAIT_SECONDS),
        ([*[5.0] * 8, *[0.001] * 8], 0.0),
    ],
)
def test_the_wait_goes_by_the_quickest_of_the_last_answers(
    answers: list[float], wait: float
) -> None:
    pace = Pace()
    for seconds in answers:
        pace.note(seconds)

    assert pace.wait == pytest.approx(wait)


class Server:
    """Answers at once, and says how long it took."""

    is_cluster = False

    def __init__(self, answer_seconds: float) -> None:
        self.answer_seconds = answer_seconds
        self.calls: list[list[str]] = []
        self.errors: dict[str, LogUnavailable] = {}

    def check(self) -> str:
        return "deployment"

    def append_all(self, batches: Sequence[Batch]) -> list[Ack | LogUnavailable]:
        self.calls.append([batch.job_id for batch in batches])
        taken = Ack(Outcome.APPENDED, 0, GENESIS, (1, 1))
        return [self.errors.get(batch.job_id, taken) for batch in batches]

    def close(self) -> None:
        """There is no connection."""


class Member:
    """Has always something to send."""

    def __init__(self, name: str, data: bytes = SMALL) -> None:
        self.name, self.data, self.hurries = name, data, False
        self.settled = self.failed = 0
        self.retry_at = 0.0

    def due(self, now: float) -> float:
        return self.retry_at

    def take(self) -> Batch | None:
        return Batch(self.name, "p", 0, 0, GENESIS, self.data)

    def settle(self, log: Log, ack: Ack | None) -> None:
        assert ack is not None
        self.settled += 1

    def fail(self, error: ConfigError | LogUnavailable, now: float) -> None:
        self.failed += 1
        self.retry_at = now + 60


def lane_of(server: Server, *members: Member) -> Lane:
    connection: Any = server
    lane = Lane(lambda: connection)
    lane.members = members
    return lane


def judged_slow(lane: Lane, server: Server) -> None:
    """Have the lane see enough of the server."""
    for _ in range(8):
        lane.work()
    server.calls.clear()


def test_all_that_is_there_goes_in_one_call() -> None:
    server = Server(0.001)
    lane = lane_of(server, *(Member(name) for name in "abc"))

    lane.work()

    assert server.calls == [["a", "b", "c"]]


def test_a_call_is_no_larger_than_a_batch_may_be() -> None:
    server = Server(0.001)
    lane = lane_of(server, *(Member(name, LARGE) for name in "abc"), *map(Member, "de"))

    lane.work()

    assert server.calls == [["a"], ["b"], ["c"], ["d", "e"]]


def test_nothing_waits_while_the_server_is_quick() -> None:
    server = Server(0.001)
    lane = lane_of(server, Member("a"))
    judged_slow(lane, server)

    lane.work()

    assert server.calls == [["a"]]
    assert lane.due(now := time.monotonic()) <= now


def test_small_batches_wait_while_it_is_slow() -> None:
    server = Server(1.0)
    lane = lane_of(server, Member("a"))
    judged_slow(lane, server)

    lane.work()

    assert server.calls == []
    now = time.monotonic()
    assert now < lane.due(now) <= now + LONGEST_WAIT_SECONDS
    lane.listen(now)
    assert not (lane.has_thread and lane.bell.is_armed)  # and reports need not ring


def test_who_hurries_does_not_wait() -> None:
    server = Server(1.0)
    member = Member("a")
    lane = lane_of(server, Member("b"), member)
    judged_slow(lane, server)
    member.hurries = True

    assert lane.due(now := time.monotonic()) <= now
    lane.work()

    assert server.calls == [["b", "a"]]


def test_full_batches_do_not_wait() -> None:
    server = Server(1.0)
    member = Member("a")
    lane = lane_of(server, member)
    judged_slow(lane, server)
    member.data = LARGE
    member.hurries = True
    lane.work()
    member.hurries = False

    lane.work()

    assert server.calls == [["a"], ["a"]]


@pytest.mark.parametrize(("is_refusal", "failed"), [(True, [0, 1, 0]), (False, [1, 1, 1])])
def test_what_fails_of_one_costs_the_others_only_what_it_is(
    is_refusal: bool, failed: list[int]
) -> None:
    server = Server(0.001)
    server.errors["b"] = LogUnavailable("away", is_refusal=is_refusal)
    members = [Member(name) for name in "abc"]
    lane = lane_of(server, *members)

    lane.work()

    assert [member.settled for member in members] == [1, 0, 1]
    assert [member.failed for member in members] == failed


def test_with_a_slow_server_many_runs_share_few_entries_and_lose_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pace, "wait", LONGEST_WAIT_SECONDS, raising=False)
    monkeypatch.setattr(Pace, "__init__", lambda _: None)
    monkeypatch.setattr(Pace, "note", lambda *_: None)
    loggers = [StreamLogger(f"job-{number}", settings) for number in range(20)]
    for number in range(200):
        for logger in loggers:
            logger.log_message(str(number))
        time.sleep(0.002)
    for logger in loggers:
        logger.end_log()

    log = open_log(settings)
    for number in range(20):
        entries = log.read_after(f"job-{number}", BEGINNING, limit=1000)
        batches = [entry.batch for entry in entries if entry.batch]
        assert batches[-1].last == 200  # the end
        assert [batch.first for batch in batches[1:]] == [batch.last + 1 for batch in batches[:-1]]
        assert len(batches) <= 20  # of more than 400 ms, with a wait of 250
    log.close()
