"""`synapse-stream annotate`: say something of a run: labels, a note, archived, a baseline."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from synapse_stream.cli.shared.completion import Job
from synapse_stream.cli.shared.output import WrongUse, print_json
from synapse_stream.cli.shared.reading import place_of, say_no
from synapse_stream.cli.shared.reason import Reason
from synapse_stream.cli.shared.tables import print_fields
from synapse_stream.ports.annotations import Change

_Labels = Annotated[
    list[str] | None, typer.Option("--label", help="NAME=VALUE sets a label, NAME takes it away.")
]


def annotate(
    job: Job,
    *,
    label: _Labels = None,
    note: Annotated[str | None, typer.Option(help="A note; empty: none.")] = None,
    archived: Annotated[
        bool | None, typer.Option("--archive/--unarchive", help="Have lists leave it out, or not.")
    ] = None,
    baseline: Annotated[
        bool | None, typer.Option("--baseline/--no-baseline", help="Others are compared with it.")
    ] = None,
    reason: Reason = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what is said of a run, or say something else; what is recorded stays.

    Exit code 1 when the job is not known.
    """
    from synapse_stream.operating.trail import acting
    from synapse_stream.ports.views import open_views
    from synapse_stream.settings import Settings

    settings = Settings.load()
    change = Change(_read(label), note, archived, baseline)
    with closing(open_views(settings)) as views:
        said = views.annotation(job) if job in views.listed([job]) else None
        if said is not None and change != Change():
            before = {"asked": asdict(change), "was": asdict(said)}
            with acting(settings, "annotate", jobs=[job], reason=reason, before=before):
                said = views.annotate(job, change)
    if said is None:
        say_no(f"job {job!r} is not known{place_of(settings)}")
    if as_json:
        print_json(asdict(said))
        return
    labels = ", ".join(f"{k}={v}" if v is not None else f"no {k}" for k, v in said.labels.items())
    print_fields(
        [
            ("job", job),
            ("labels", labels or None),
            ("note", said.note),
            ("archived", "yes" if said.archived else "no"),
            ("baseline", "yes" if said.baseline else "no"),
        ]
    )


def _read(labels: list[str] | None) -> dict[str, str | None] | None:
    if not labels:
        return None
    found: dict[str, str | None] = {}
    for one in labels:
        name, sign, value = one.partition("=")
        if not name:
            msg = f"--label {one!r} names no label; expected NAME=VALUE, or NAME to take it away"
            raise WrongUse(msg)
        found[name] = value if sign else None
    return found
