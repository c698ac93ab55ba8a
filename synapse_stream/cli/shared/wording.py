"""How a run and its steps are put into words, safe to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.cli.shared.tables import amount, clock, percent, span
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.views import Attempt, RunState, StepState

_WHOLE = 100
_MOST_SHOWN = 5


def title(state: RunState) -> str:
    """Return the job, its attempt and its action."""
    action = f": {one_line(state.latest.action)}" if state.latest.action else ""
    return f"{one_line(state.job_id)}, attempt {state.latest.number}{action}"


def outcome(state: RunState) -> str:
    """Return how the run stands, for how long, and the first line of its error."""
    run = state.latest
    because = reason(run)
    said = f": {because}" if because else ""
    joined = "after" if state.status.is_terminal else "for"
    ending = " (so far)" if run.is_ending else ""
    return f"{state.status.value}{ending} {joined} {span(run.duration_seconds)}{said}"


def reason(run: Attempt) -> str:
    """Return the first line of an attempt's error; empty without one."""
    return one_line((run.error or "").strip().partition("\n")[0])


def lacking(run: Attempt) -> str:
    """Return what of an attempt is not there; empty when nothing is missing so far."""
    found, said = run.completeness, []
    if found.missing:
        ranges = [
            f"{one_line(producer)} {first}-{last}"
            for producer, pairs in found.missing.items()
            for first, last in pairs
        ]
        said.append(f"{found.missing_count} events missing ({_some(ranges)})")
    if found.shed:
        kinds = [f"{one_line(kind)} {count}" for kind, count in sorted(found.shed.items())]
        why = "".join(f", {one_line(reason)}" for reason in list(found.reasons)[:_MOST_SHOWN])
        said.append(f"{sum(found.shed.values())} events given up ({', '.join(kinds)}){why}")
    if found.is_uncounted:
        said.append("an unknown number of events is missing")
    if run.is_over and found.waiting_count:
        who = (
            "1 process has" if found.waiting_count == 1 else f"{found.waiting_count} processes have"
        )
        named = f" ({_some(list(map(one_line, found.waiting)))})" if found.waiting else ""
        said.append(f"{who} not ended, or not sent all{named}")
    return "; ".join(said)


def _some(texts: list[str]) -> str:
    more = ", …" if len(texts) > _MOST_SHOWN else ""
    return ", ".join(texts[:_MOST_SHOWN]) + more


def progress(step: StepState) -> str:
    """Return where a step stands, in one line."""
    done = f"{name(step)} {count(step)} ({percent(step.percent)})"
    return ", ".join(filter(None, (done, rate(step), left(step))))


def name(step: StepState) -> str:
    """Return what the step is called."""
    return one_line(step.name or "(run)")


def count(step: StepState) -> str:
    """Return how much is done of how much; empty before the first number."""
    return "" if step.current is None else f"{step.current:.10g}/{step.total:.10g}"


def rate(step: StepState) -> str:
    """Return the pace, to three digits; empty when it is not known."""
    return "" if step.rate is None else f"{amount(float(f'{step.rate:.3g}'))}/s"


def share(run: Attempt) -> str:
    """Return how far the run is; "at least" when something does not say how far it is."""
    least = "at least " if run.overall_is_at_least else ""
    return f"{least}{percent(run.overall_percent)}"


def rest(run: Attempt) -> str:
    """Return how long the run still needs; empty when that is not known, or it is over."""
    if run.is_over or run.eta_seconds is None:
        return ""
    return f"{'at least ' if run.eta_is_at_least else ''}{span(run.eta_seconds)} left"


def is_done(step: StepState) -> bool:
    """Return whether nothing of the step is left."""
    return step.percent >= _WHOLE


def left(step: StepState) -> str:
    """Return the time left; empty when that is not known or there is none."""
    if step.is_failed:
        return "failed"
    is_under_way = step.eta_seconds is not None and not is_done(step)
    return f"{span(step.eta_seconds)} left" if is_under_way else ""


def away(since_ms: int) -> str:
    """Return that the server does not answer, and since when."""
    return f"the server does not answer since {clock(since_ms * 1000)}; this is the state of then"


def earlier(job_id: str) -> str:
    """Return where the messages are that are not shown."""
    return f"… earlier messages: synapse-stream messages {one_line(job_id)}"


def beside(numbers: Sequence[int]) -> str:
    """Return that other attempts are alive; empty when none is."""
    if not numbers:
        return ""
    named = ", ".join(map(str, numbers))
    return (
        f"attempt {named} is alive, too"
        if len(numbers) == 1
        else f"attempts {named} are alive, too"
    )


def parked(state: RunState) -> str | None:
    """Say how many events could not be applied; the page calls them so, too."""
    if not state.parked:
        return None
    return f"{state.parked} {'event' if state.parked == 1 else 'events'} not understood"


def damaged(state: RunState) -> str | None:
    """Say what of a job cannot be read in the store."""
    return f"damaged in the store: {', '.join(state.damaged)}" if state.damaged else None
