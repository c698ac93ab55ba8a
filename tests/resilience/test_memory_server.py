"""The double of append.lua answers as the script does on a real server."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synapse_stream.entries.batch import Batch
from synapse_stream.entries.keys import Keys
from synapse_stream.entries.position import BEGINNING
from synapse_stream.log.event_log import EventLog
from tests.resilience.memory_server import MemoryServer

if TYPE_CHECKING:
    from tests.support.servers import TestServer

JOBS = ("job-1", "job-2")
PRODUCERS = ("p1", "p2")

appends = st.tuples(
    st.sampled_from(JOBS),
    st.sampled_from(PRODUCERS),
    st.integers(0, 6),
    st.integers(0, 3),
    st.binary(max_size=3).map(lambda data: data or b"\n"),
    st.sampled_from([1, 2000]),
)
heads = st.tuples(st.sampled_from(JOBS), st.sampled_from(PRODUCERS))
commands = st.lists(st.one_of(appends, heads), min_size=1, max_size=30)


class Narrator:
    """Runs commands against one log and tells what came of them, entry ids by their rank."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._ids: list[tuple[int, int]] = []

    def tell(self, command: tuple[Any, ...]) -> tuple[Any, ...]:
        """Run one command."""
        if len(command) == 2:
            ack = self._log.heads([command])[0]
            return ack.outcome, ack.last, ack.hash, None
        job_id, producer, first, more, data, times = command
        link = bytes([len(self._ids)]) * 32
        batch = Batch(job_id, producer, first, first + more, link, data * times)
        ack = self._log.append(batch)
        if ack.entry is not None:
            assert self._ids == sorted({*self._ids}), "ids rise"
            self._ids.append(ack.entry)
        return ack.outcome, ack.last, ack.hash, ack.entry and self._ids.index(ack.entry)

    def content(self) -> list[Any]:
        """Return all streams and feeds."""
        recorded = [r for job in JOBS for r in self._log.read_after(job, BEGINNING, limit=1000)]
        pointers = [pointer for feed in range(2) for pointer in self._log.read_feed(feed)]
        return [
            *((self._ids.index((r.ms, r.seq)), r.batch) for r in recorded),
            *((self._ids.index(pointer.entry), *pointer[1:]) for pointer in pointers),
        ]


@settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(commands)
def test_the_double_answers_as_the_script_on_a_real_server(
    server: TestServer, commands: list[tuple[Any, ...]]
) -> None:
    keys = Keys(f"double-{uuid.uuid4().hex}", 2)
    with server.client() as client:
        real = Narrator(EventLog(client, keys, "the real one"))
        double = Narrator(EventLog(MemoryServer(), keys, "the double"))

        assert [double.tell(c) for c in commands] == [real.tell(c) for c in commands]
        assert double.content() == real.content()


def test_both_found_a_deployment_the_same_way(server: TestServer) -> None:
    with server.client() as client:
        for fresh in (client, MemoryServer()):
            keys = Keys(f"double-{uuid.uuid4().hex}", 2)
            EventLog(fresh, keys, "fresh").check()
            found = fresh.execute_command("HGET", keys.config, "partitions")

            assert found == b"2"
