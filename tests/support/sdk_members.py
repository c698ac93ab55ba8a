"""The 48 calls that a plugin makes to the SDK: of its logger, its context and its action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

NOTHING = "nothing"  # a call that only asks or sets; its answer is looked at


class Plugin(NamedTuple):
    """What the calls are made on, and the enum and classes that its imports bring."""

    ctx: Any
    action: Any
    level: Any
    code: Any
    localized: Any

    @property
    def logger(self) -> Any:
        return self.ctx.logger


class Member(NamedTuple):
    name: str
    call: Callable[[Plugin], Any]
    kind: str
    fields: dict[str, Any]
    """What the event says at least; of NOTHING what the call answers."""


def _message(content: str, level: str = "info", **more: Any) -> tuple[str, dict[str, Any]]:
    return "message", {"content": content, "level": level, **more}


def _member(
    name: str, call: Callable[[Plugin], Any], what: tuple[str, dict[str, Any]] | Any = NOTHING
) -> Member:
    return (
        Member(name, call, *what)
        if isinstance(what, tuple)
        else Member(name, call, NOTHING, {"is": what})
    )


_TRIALS = {"t1": {"loss": 0.1}}
_LANGUAGES = {"en": "{n} files", "ko": "파일 {n}개"}
_LOSS = ("metrics", {"values": {"loss": 0.5}, "step": "train"})
_HALF = ("progress", {"current": 1, "total": 2, "step": "train"})
_METRIC = ("metrics", {"values": {"epoch": 3, "loss": 0.5}, "x": 3, "step": "val"})
_IMAGE = (
    "log",
    {
        "event": "visualization",
        "data": {"category": "val", "group": "g", "index": 0, "at": 1},
        "file": "/p.png",
    },
)
_TABLE = ("log", {"event": "trials", "data.trials": _TRIALS, "data.best_trial": "t1"})

CONTEXT = (
    _member(
        "ctx.log",
        lambda p: p.ctx.log("saved", {"epoch": 5}),
        ("log", {"event": "saved", "data": {"epoch": 5}}),
    ),
    _member(
        "ctx.log(…, file, level)",
        lambda p: p.ctx.log("saved", {}, "/m.pt", p.level.WARNING),
        ("log", {"event": "saved", "file": "/m.pt", "level": "warning"}),
    ),
    _member("ctx.log_message", lambda p: p.ctx.log_message("hello"), _message("hello")),
    _member(
        "ctx.log_message(…, level)",
        lambda p: p.ctx.log_message("hello", p.level.DANGER),
        _message("hello", "danger"),
    ),
    _member(
        "ctx.log_message(level=)",
        lambda p: p.ctx.log_message("hello", level=p.level.ERROR),
        _message("hello", "error"),
    ),
    _member(
        "ctx.log_message(context=)",
        lambda p: p.ctx.log_message("hello", context="success"),
        _message("hello", "success"),
    ),
    _member(
        "ctx.log_message(step=)",
        lambda p: p.ctx.log_message("hello", step="train"),
        _message("hello", step="train"),
    ),
    _member(
        "ctx.log_message({…}, language=)",
        lambda p: p.ctx.log_message(_LANGUAGES, language="ko", n=2),
        _message("파일 2개", template=_LANGUAGES, params={"n": 2}),
    ),
    _member(
        "ctx.log_message(LocalizedMessage)",
        lambda p: p.ctx.log_message(p.localized, n=2),
        _message("2 files", template=_LANGUAGES, params={"n": 2}),
    ),
    _member(
        "ctx.log_message(code)",
        lambda p: p.ctx.log_message(p.code.DONE, n=2),
        _message("2 files", "success", key="DONE", template=_LANGUAGES, params={"n": 2}),
    ),
    _member("ctx.set_progress", lambda p: p.ctx.set_progress(1, 2, "train"), _HALF),
    _member("ctx.set_metrics", lambda p: p.ctx.set_metrics({"loss": 0.5}, "train"), _LOSS),
    _member("ctx.log_metric", lambda p: p.ctx.log_metric("val", "epoch", 3, loss=0.5), _METRIC),
    _member(
        "ctx.log_visualization",
        lambda p: p.ctx.log_visualization("val", "g", 0, "/p.png", at=1),
        _IMAGE,
    ),
    _member("ctx.log_trials", lambda p: p.ctx.log_trials(trials=_TRIALS, best_trial="t1"), _TABLE),
    _member(
        "ctx.log_dev_event",
        lambda p: p.ctx.log_dev_event("cache", {"hits": 1}),
        ("dev_event", {"message": "cache", "data": {"hits": 1}}),
    ),
)
LOGGER = (
    _member(
        "logger.log",
        lambda p: p.logger.log(p.level.DEBUG, "saved", {"epoch": 5}),
        ("log", {"event": "saved", "data": {"epoch": 5}, "level": "debug"}),
    ),
    _member(
        "logger.log(…, file, step=)",
        lambda p: p.logger.log(p.level.INFO, "saved", {}, "/m.pt", step="train"),
        ("log", {"event": "saved", "file": "/m.pt", "step": "train"}),
    ),
    _member("logger.info", lambda p: p.logger.info("hello"), _message("hello")),
    _member("logger.debug", lambda p: p.logger.debug("hello"), ("dev_event", {"message": "hello"})),
    _member("logger.warning", lambda p: p.logger.warning("hello"), _message("hello", "warning")),
    _member("logger.error", lambda p: p.logger.error("hello"), _message("hello", "error")),
    _member("logger.critical", lambda p: p.logger.critical("hello"), _message("hello", "critical")),
    _member(
        "logger.set_step",
        lambda p: (p.logger.set_step("train", order=1), p.logger.info("hello")),
        _message("hello", step="train"),
    ),
    _member(
        "logger.get_step", lambda p: (p.logger.set_step("train"), p.logger.get_step())[1], "train"
    ),
    _member("logger.set_progress", lambda p: p.logger.set_progress(1, 2, "train"), _HALF),
    _member(
        "logger.set_progress_failed",
        lambda p: p.logger.set_progress_failed("train"),
        ("progress", {"failed": True, "step": "train"}),
    ),
    _member("logger.set_metrics", lambda p: p.logger.set_metrics({"loss": 0.5}, "train"), _LOSS),
    _member(
        "logger.set_metrics without step",
        lambda p: (p.logger.set_step("train"), p.logger.set_metrics({"loss": 0.5})),
        _LOSS,
    ),
    _member(
        "logger.log_event",
        lambda p: p.logger.log_event("saved", {"epoch": 5}),
        ("log", {"event": "saved", "data": {"epoch": 5}}),
    ),
    _member(
        "logger.log_metric", lambda p: p.logger.log_metric("val", "epoch", 3, loss=0.5), _METRIC
    ),
    _member(
        "logger.log_visualization",
        lambda p: p.logger.log_visualization("val", "g", 0, "/p.png", at=1),
        _IMAGE,
    ),
    _member(
        "logger.log_trials",
        lambda p: p.logger.log_trials({"trials": _TRIALS, "best_trial": "t1"}),
        _TABLE,
    ),
    _member(
        "logger.log_message",
        lambda p: p.logger.log_message("hello", p.level.WARNING),
        _message("hello", "warning"),
    ),
    _member(
        "logger.log_message(context=)",
        lambda p: p.logger.log_message("hello", context="danger"),
        _message("hello", "danger"),
    ),
)
ACTION = (
    _member(
        "action.log",
        lambda p: p.action.log("saved", {"epoch": 5}),
        ("log", {"event": "saved", "data": {"epoch": 5}}),
    ),
    _member(
        "action.log_message",
        lambda p: p.action.log_message("hello", p.level.WARNING),
        _message("hello", "warning"),
    ),
    _member("action.set_progress", lambda p: p.action.set_progress(1, 2, "train"), _HALF),
    _member(
        "action.set_progress(category=)",
        lambda p: p.action.set_progress(1, 2, category="train"),
        _HALF,
    ),
    _member("action.set_metrics", lambda p: p.action.set_metrics({"loss": 0.5}, "train"), _LOSS),
    _member(
        "action.log_metric", lambda p: p.action.log_metric("val", "epoch", 3, loss=0.5), _METRIC
    ),
    _member(
        "action.log_visualization",
        lambda p: p.action.log_visualization("val", "g", 0, "/p.png", at=1),
        _IMAGE,
    ),
    _member("action.logger", lambda p: p.action.logger.info("hello"), _message("hello")),
)
ENDS = (
    _member(
        "ctx.end_log",
        lambda p: p.ctx.end_log(),
        _message("Plugin run is complete.", key="PLUGIN_RUN_COMPLETE"),
    ),
    _member(
        "ctx.end_log, then a report",
        lambda p: (p.ctx.end_log(), p.ctx.log_message("after")),
        _message("after"),
    ),
    _member("logger.finish", lambda p: p.logger.finish(), ("end", {"status": "completed"})),
    _member(
        "logger.finish in except", lambda p: _fail(p.logger.finish), ("end", {"status": "failed"})
    ),
)
ONLY_THE_SDKS = (
    _member(
        "logger.set_step_proportions",
        lambda p: p.logger.set_step_proportions({"train": 100}),
        ("log", {"event": "step_proportions", "data.proportions": {"train": 100}}),
    ),
)


def _fail(then: Callable[[], object]) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        then()


def says(event: Any, expected: dict[str, Any]) -> dict[str, Any]:
    """Return what an event says of what is expected; `data.x` is a part of its data."""
    found = {}
    for name in expected:
        field, _, part = name.partition(".")
        value: Any = getattr(event, field, None)
        found[name] = value[part] if part else value
    return found
