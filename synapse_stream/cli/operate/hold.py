"""`synapse-stream hold` and `release`: nothing is removed of a run that is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import say_no
from synapse_stream.cli.shared.tables import clock, print_table

if TYPE_CHECKING:
    from synapse_stream.operating.holds import Held, Holds

_Job = Annotated[str | None, typer.Argument(metavar="JOB", help="The job's id.")]
_Label = Annotated[
    str | None,
    typer.Option(metavar="KEY=VALUE", help="All runs with this label, those to come, too."),
]
_Why = Annotated[str | None, typer.Option("--reason", help="Why; it is asked for.")]


def hold(
    job: _Job = None,
    *,
    label: _Label = None,
    reason: _Why = None,
    as_json: Annotated[bool, typer.Option("--json", help="List holds as JSON.")] = False,
) -> None:
    """Have nothing be removed of a run, whatever the settings say.

    It counts for every removal that is written to the trail behind it. Without a name: list what is
    held.
    """
    from synapse_stream.operating.holds import HOLD

    if job is None and label is None:
        _list(holds_now(), as_json=as_json)
        return
    held = _held(job, label)
    _act(HOLD, held, reason)
    print(f"{_shown(held)} is held")


def release(job: _Job = None, *, label: _Label = None, reason: _Why = None) -> None:
    """Have a hold count no more. Exit code 1 when there is none."""
    from synapse_stream.operating.holds import RELEASE

    held = _held(job, label)
    if held not in holds_now().on:
        say_no(f"{_shown(held)} is not held")
    _act(RELEASE, held, reason)
    print(f"{_shown(held)} is held no more")


def _act(name: str, held: Held, reason: str | None) -> None:
    from synapse_stream.operating.trail import acting
    from synapse_stream.settings import Settings

    if not reason:
        msg = f"{name} needs a --reason: whoever finds it later must know why"
        raise WrongUse(msg)
    jobs = [held.job_id] if held.job_id else []
    with acting(Settings.load(), name, jobs=jobs, reason=reason, before=held._asdict()):
        pass


def _held(job: str | None, label: str | None) -> Held:
    from synapse_stream.operating.holds import Held

    if (job is None) == (label is None):
        msg = "name a JOB, or --label KEY=VALUE"
        raise WrongUse(msg)
    if label is not None and "=" not in label:
        msg = f"--label {label!r} must be KEY=VALUE"
        raise WrongUse(msg)
    return Held(job, label)


def holds_now() -> Holds:
    """Return the holds of the deployment."""
    from synapse_stream.entries.keys import TRAIL
    from synapse_stream.operating.acts import Acts
    from synapse_stream.operating.holds import Holds
    from synapse_stream.reading.stream import JobStream

    acts = Acts()
    acts.take(JobStream(TRAIL).read())
    return Holds(acts)


def _list(holds: Holds, *, as_json: bool) -> None:
    if as_json:
        for held, written in holds.on.items():
            print_json({**held._asdict(), "act": written.as_json()})
    elif holds.on:
        rows = [
            (_shown(held), clock(one.act.time), one.act.by, one.act.reason or "")
            for held, one in holds.on.items()
        ]
        print_table(("HELD", "SINCE", "BY", "WHY"), rows)
    else:
        print("Nothing is held")


def _shown(held: Held) -> str:
    return f"job {held.job_id!r}" if held.job_id else f"every run labelled {held.label}"
