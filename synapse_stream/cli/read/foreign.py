"""Runs of other programs, found in their files, as jobs."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from synapse_stream.cli.shared.output import WrongUse

if TYPE_CHECKING:
    from synapse_stream.integrations.files.source import Source
    from synapse_stream.log.event_log import EventLog

_MOST_SAID = 20


def import_runs(path: Path, job: str | None, mapping: str | None, reason: str | None) -> bool:
    """Import all runs of a file or folder; False if it is an export of our own.

    Args:
        path: the file or folder.
        job: how the only run is to be called.
        mapping: what the fields of JSON Lines are.
        reason: why, for the operators' trail.

    Raises:
        WrongUse: it cannot be read, or a name is asked for and it has several.
    """
    from synapse_stream.log.event_log import open_log
    from synapse_stream.operating.trail import acting
    from synapse_stream.settings import Settings

    found = _found(path, mapping)
    if found is None and job is not None:
        msg = "--job is for runs of other programs: an export keeps its name"
        raise WrongUse(msg)
    if found is None:
        return False
    if job is not None and len(found) > 1:
        msg = f"{path} has {len(found)} runs; --job can name one only"
        raise WrongUse(msg)
    settings = Settings.load()
    named = [(source, _job_id(job or source.proposed)) for source in found]
    jobs, before = [job_id for _, job_id in named], {"file": str(path)}
    with closing(open_log(settings)) as log:
        log.check()
        with acting(settings, "import", jobs=jobs, reason=reason, before=before):
            rules = settings.redact_rules
            whole = [_import(source, job_id, log, rules) for source, job_id in named]
    if not all(whole):
        raise typer.Exit(1)
    return True


def _found(path: Path, mapping: str | None) -> list[Source] | None:
    from synapse_stream.integrations.files.finding import sources
    from synapse_stream.integrations.files.jsonlines import parse_mapping

    try:
        return sources(path, None if mapping is None else parse_mapping(_text(mapping)))
    except OSError as error:
        msg = f"{path}: {error}"
        raise WrongUse(msg) from error


def _import(source: Source, job_id: str, log: EventLog, rules: str | None) -> bool:
    """Import one and say what has come of it; False if some of it cannot be read."""
    from synapse_stream.integrations.files.importing import import_source

    imported = import_source(source, job_id, log, rules)
    what = "has" if imported.is_new else "had already"
    print(f"job {job_id!r} {what} {imported.events} events of {source.name}")
    said = [f"left out: {text}" for text in imported.left_out]
    said += [f"not readable: {text}" for text in imported.damages[:_MOST_SAID]]
    more = len(imported.damages) - _MOST_SAID
    said += [f"and {more} more, which are messages of the job"] if more > 0 else []
    for line in said:
        print(f"  {line}", file=sys.stderr)
    return not imported.damages


def _text(mapping: str) -> str:
    return Path(mapping[1:]).read_text() if mapping.startswith("@") else mapping


def _job_id(proposed: str) -> str:
    """Return a name as a job can have it: what it cannot hold is a dash.

    Raises:
        WrongUse: nothing is left of it.
    """
    from synapse_stream.entries.keys import LONGEST_JOB_ID, is_job_id

    name = "".join(each if is_job_id(f"a{each}a") else "-" for each in proposed)[:LONGEST_JOB_ID]
    if not is_job_id(name):
        msg = f"the run is called {proposed!r}, which no job can be; name one by --job"
        raise WrongUse(msg)
    return name
