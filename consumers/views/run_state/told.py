"""What stands beside a document of run states, for lists and for finding runs: pure."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from consumers.store.documents import LARGE
from consumers.views.run_state import brief, reading
from consumers.views.run_state.overall import percent
from synapse_stream.events.tags import restore
from synapse_stream.ports.annotations import NOTHING
from synapse_stream.ports.filters.facts import Fact, facts
from synapse_stream.ports.filters.fingerprints import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_stream.ports.annotations import Annotation


class Told(NamedTuple):
    """What lists show of a document, as the columns of `run` have it."""

    status: str
    action: str | None
    shed: int
    """How many events were given up."""
    brief: bytes | None
    """What lists show of a large document."""
    attempt: int
    events: int
    percent: float | None
    duration: float
    """Seconds."""
    started: int
    ended: int | None
    digest: bytes
    """Of the facts: of others it is another one."""


def told(document: bytes, content: Mapping[str, Any]) -> Told | None:
    """Return what lists show of a document, which holds `content`; None while it holds no event."""
    view = content["view"]
    number = reading.latest_attempt(view)
    if number is None:
        return None
    run = view["attempts"][number]
    marks = content["ledger"]["producers"].values()
    before = next(times for n, times in reading.in_order(view) if n == number)
    started = run["first"] if run["started"] is None else run["started"]
    ended = run["last"] if run["ended"] is None else run["ended"]
    return Told(
        status=run["status"],
        action=run["action"],
        shed=sum(sum(mark["shed"].values()) for mark in marks if "shed" in mark),
        brief=brief.write(content) if len(document) > LARGE else None,
        attempt=int(number),
        events=sum(run["counts"].values()),
        percent=percent(run, before),
        duration=max(0, ended - started) / 1e6,
        started=started,
        ended=run["ended"],
        digest=_digest(run),
    )


def facts_of(
    job_id: str, content: Mapping[str, Any], said: Annotation = NOTHING
) -> dict[str, Fact]:
    """Return what a job is found by: what its latest attempt reports of itself, and is said of it.

    That is labels and params, the labels that were set among them, and whether it is archived.
    """
    run = content["view"]["attempts"][reading.latest_attempt(content["view"])]
    named = {name: run[name] for name in ("action", "plugin", "error")}
    kind = run["error"] and fingerprint(run["error"])
    named |= {"job": job_id, "fingerprint": kind, "note": said.note}
    named |= {"archived": said.archived or None, "baseline": said.baseline or None}
    return facts(named, {**restore(run["labels"]), **said.labels}, restore(run["params"]))


def _digest(run: Mapping[str, Any]) -> bytes:
    told = [run[name] for name in ("action", "plugin", "error", "labels", "params")]
    return blake2b(orjson.dumps(told), digest_size=8).digest()
