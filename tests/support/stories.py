"""Runs whose processes were confused, asked to end, or lost: for tests of what readers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support import events
from tests.support.chains import Chain
from tests.support.raw import client_of
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from synapse_stream.log.event_log import EventLog

STARTED = events.started()
ENDED = events.ended()
LOST = events.lost(reason="it is gone")
RESUMED = {"type": "resumed", "host": "node-1", "pid": 4711, "rank": 0, "reason": "name was taken"}
SAID = events.message("hi")


def taken(log: EventLog, job_id: str) -> Chain:
    """Record a run whose name was taken, whose children are missing, and more; it has completed.

    What a former attempt of it, which is alive, reports comes last: its chain is returned.
    """
    first, second, heir = (Chain(job_id, name) for name in ("first", "second", "heir"))
    child = Chain(job_id, "child-1")
    log.append(first.add(STARTED, SAID))
    log.append(second.add(STARTED, SAID, LOST))
    log.append(child.add({"type": "joined", "parent": "second"}, SAID, {**ENDED, "rank": None}))
    loss = {"type": "loss", "counts": {}, "reason": "its memory is gone", "uncounted": True}
    log.append(
        heir.add(
            {**RESUMED, "producer": "second", "last": 1},
            {"type": "dev_event", "message": "no number", "rejected": 2},
            loss,
            {
                **ENDED,
                "count": 4,
                "signal": "SIGTERM",
                "children": [_child("child-1"), _child("child-2")],
                "child_count": 2,
            },
        )
    )
    began = _now_ms(log)
    wait_until(lambda: _now_ms(log) > began)
    log.append(first.add(SAID))
    return first


def _now_ms(log: EventLog) -> int:
    seconds, micros = client_of(log).execute_command("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


def asked(log: EventLog, job_id: str) -> Chain:
    """Record a run that was asked to end."""
    chain = Chain(job_id, "asked")
    log.append(chain.add(STARTED, SAID, {"type": "terminating", "signal": "SIGTERM"}))
    return chain


def _child(producer: str) -> dict[str, Any]:
    return {"producer": producer, "pid": 1}
