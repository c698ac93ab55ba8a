"""`synapse-stream doctor`: is everything there that promises rest on, and if not, what to do."""

from __future__ import annotations

import os
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.output import coloured, print_json

if TYPE_CHECKING:
    from synapse_stream.cli.operate.findings import Finding
    from synapse_stream.settings import Settings

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def doctor(
    *,
    print_config: Annotated[
        bool,
        typer.Option(
            "--print-config",
            help="Show the settings, passwords masked, and what tells the rank of a process.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check the server and this host, one line a finding.

    Exit code 1 when there is a problem; a warning is none.
    """
    from synapse_stream.cli.operate.findings import examine
    from synapse_stream.cli.operate.privacy_findings import examine_privacy
    from synapse_stream.cli.operate.projection_findings import examine_projections
    from synapse_stream.cli.operate.retention_findings import examine_retention
    from synapse_stream.settings import Settings

    settings = Settings.load()
    if print_config:
        _print_config(settings, as_json=as_json)
        return
    findings = []
    of_server = (examine_privacy, examine_projections, examine_retention)
    parts = (examine, *(of_server if settings.url is None else ()))
    for finding in chain.from_iterable(part(settings) for part in parts):
        findings.append(finding)
        if not as_json:
            print(_line(finding))
    healthy = all(finding.verdict != "problem" for finding in findings)
    if as_json:
        print_json({"healthy": healthy, "findings": [found._asdict() for found in findings]})
    if not healthy:
        raise typer.Exit(1)


def _print_config(settings: Settings, *, as_json: bool) -> None:
    from synapse_stream.reporting.ranks import launcher_variables
    from synapse_stream.settings import PREFIX

    config = {f"{PREFIX}{name.upper()}": value for name, value in settings.masked().items()}
    config |= {name: os.environ.get(name) for name in launcher_variables()}
    if as_json:
        print_json(config)
        return
    for name, value in config.items():
        print(f"{name}={'' if value is None else value}")


def _line(finding: Finding) -> str:
    verdict = coloured(f"{finding.verdict:<8}", _COLOURS[finding.verdict])
    advice = f" → {finding.advice}" if finding.advice else ""
    return f"{verdict} {finding.subject}: {finding.text}{advice}"
