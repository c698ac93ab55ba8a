"""Jobs of every kind on a real server, folded into real views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream import LogLevel, open_run
from synapse_stream.log.event_log import open_log
from tests.support import events, stories
from tests.support.chains import Chain
from tests.support.projecting import project

if TYPE_CHECKING:
    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings
    from tests.support.servers import TestServer

TIME = 1_763_880_000_000_000
EPOCHS = 120
MESSAGES = EPOCHS // 10 + 1
STARTED = events.started(plugin="trainer")
SLASHED = "team/a b/%2F?x#y"
"""A job whose id would divide a path, if it were routed decoded."""
LONG = "长" * 200
HOSTILE = "<script>alert('job')</script>"
MARKUP = "<img src=x onerror=alert(1)> =1+1 \u202e\u0001 😀 מה"


def fill(settings: Settings, server: TestServer) -> None:
    """Report all jobs and project them."""
    with open_run("trained", env={}, settings=settings, action="train", params={"lr": 0.1}) as ctx:
        for epoch in range(1, EPOCHS + 1):
            ctx.set_progress(epoch, EPOCHS, step="training")
            ctx.set_metrics({"loss": _loss(epoch), "accuracy": epoch / EPOCHS}, x=epoch, step="fit")
            ctx.log_dev_event("epoch", {"memory": epoch})
            if epoch % 10 == 0:
                levels = (LogLevel.INFO, LogLevel.WARNING)
                ctx.log_message(f"epoch {epoch}", context=levels[epoch // 10 % 2])
        ctx.log_message({"en": "Done in {n}", "ko": "{n} 만에 끝"}, n=EPOCHS)
        ctx.log("checkpoint", {"epoch": EPOCHS}, file="/data/model.pt")
    log = open_log(settings)
    log.append(Chain("running").add(STARTED, progress(3, 10)))
    for job_id in (SLASHED, LONG, "team", "team%2Fa", "-", "ü"):
        log.append(Chain(job_id).add(STARTED, message(f"I am {job_id}")))
    attempts = Chain("again", "first"), Chain("again", "second")
    for number, chain in enumerate(attempts, 1):
        log.append(chain.add({**STARTED, "attempt": number}, metrics(only=number, shared=number)))
        log.append(
            chain.add({"type": "end", "status": "failed", "error": "E", "count": 3, "rank": 0})
        )
    stories.taken(log, "taken")
    stories.asked(log, "asked")
    _be_hostile(log, settings, server)
    log.close()
    project(settings)


def progress(current: float, total: float) -> dict[str, Any]:
    return events.progress(current, total, "training")


def message(content: str, **fields: Any) -> dict[str, Any]:
    return events.message(content, **fields)


def metrics(**values: Any) -> dict[str, Any]:
    return events.metrics(values)


def _loss(epoch: int) -> float:
    return {50: float("nan"), 51: float("inf"), 52: float("-inf")}.get(epoch, 1 / epoch)


def _be_hostile(log: EventLog, settings: Settings, server: TestServer) -> None:
    chain = Chain(HOSTILE, "p<b>")
    log.append(
        chain.add(
            {**STARTED, "params": {"$float": "x", "n": {"$int": str(2**70)}, MARKUP: MARKUP}},
            message(f"{MARKUP}\0" + "w" * 100_000, step=MARKUP, params={"$$int": 1}, key=MARKUP),
            {"type": "dev_event", "message": MARKUP, "data": {"a": {"$float": "NaN"}}},
            {"type": "metrics", "step": MARKUP, "values": {f"{MARKUP}{n}": n for n in range(500)}},
            {"type": "metrics", "x": "Infinity", "values": {"v": "NaN", "w": 1.7e308}},
            {"type": "progress", "current": 1e-320, "total": 1.7e308},
            {"type": "from the future", "v": 99, "payload": [None]},
            {"type": "message", "content": 5, "level": [], "time": -1},
            {"type": "message", "content": "late", "level": "new level", "time": 2**53 - 1},
        )
    )
    lines = b'{"seq":9,"type":"message"\n[1]\n{"seq":11}\nnull\n\xff\n'
    log.append(chain.add_data(lines, 5))
    with server.client() as client:
        client.xadd(log.keys.job(HOSTILE), {"p": "nobody", "n": "x", "d": b"\xff"})
    log.append(Chain(HOSTILE, "p2").add({"type": "heartbeat", "time": TIME}))
