"""Commands that get lost on the way: reported once, and never taken twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from synapse_stream.entries.position import BEGINNING
from synapse_stream.errors import LogUnavailable
from synapse_stream.log.event_log import EventLog, open_log
from tests.support.chains import Chain
from tests.support.servers import Fault, FaultProxy, TestServer, wait_until

if TYPE_CHECKING:
    from synapse_stream.entries.batch import Batch
    from synapse_stream.settings import Settings

LOSSES = [
    Fault.LOST_REQUEST,
    Fault.TORN_REQUEST,
    Fault.LOST_REPLY,
    Fault.TORN_REPLY,
    Fault.LATE_REQUEST,
]


def batches(log: EventLog) -> list[Batch | None]:
    return [recorded.batch for recorded in log.read_after("job-1", BEGINNING)]


def append_until_taken(log: EventLog, batch: Batch) -> list[str]:
    failures: list[str] = []
    while len(failures) < 20:
        try:
            log.append(batch)
        except LogUnavailable as error:
            failures.append(str(error))
        else:
            break
    return failures


@pytest.mark.parametrize("fault", LOSSES)
def test_a_lost_command_is_reported_once_and_leaves_one_entry(
    server: TestServer, settings: Settings, fault: Fault
) -> None:
    # redis-py's own retries would send the command again unseen, and so twice after a lost reply
    with FaultProxy(server.port) as proxy:
        log = open_log(settings.model_copy(update={"redis_url": proxy.url}))
        chain = Chain()
        log.append(chain.add())
        proxy.plan(fault)

        failures = append_until_taken(log, chain.add())

        wait_until(lambda: proxy.happened)  # what comes late may come behind the second try
        assert proxy.happened == {fault: 1}
        assert len(failures) == 1
        assert proxy.url in failures[0]
        assert "'job-1'" in failures[0]
        assert batches(log) == chain.batches
        log.close()


def test_a_half_open_connection_is_given_up(
    server: TestServer, settings: Settings, log: EventLog
) -> None:
    with FaultProxy(server.port) as proxy:
        url = {"redis_url": proxy.url, "connect_seconds": 0.5}
        through = open_log(settings.model_copy(update=url))
        chain = Chain()
        append_until_taken(through, chain.add())
        batch = chain.add()
        proxy.half_open(600)

        for _ in range(2):  # over the connection that there was, and over a new one
            with pytest.raises(LogUnavailable, match="did not answer in time"):
                through.append(batch)
        wait_until(lambda: proxy.happened == {Fault.HALF_OPEN: 2})
        assert batches(log) == chain.batches[:1]

        proxy.half_open(0)
        append_until_taken(through, batch)
        assert batches(log) == chain.batches
        through.close()
