"""What `doctor` finds about projections: are their databases whole, and do they move?"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from synapse_stream.cli.operate.findings import Finding
from synapse_stream.cli.shared.tables import span
from synapse_stream.errors import ConfigError, LogUnavailable, SynapseStreamError
from synapse_stream.log.feeds import FeedLog
from synapse_stream.operating.lag import late, measure, unowned
from synapse_stream.ports.operations import open_operations
from synapse_stream.ports.projections import projections

if TYPE_CHECKING:
    from collections.abc import Iterator

    from synapse_stream.ports.operations import Fault, Operations
    from synapse_stream.settings import Settings


def examine_projections(settings: Settings) -> Iterator[Finding]:
    """Yield what is found; a store that is not to be had here is said elsewhere."""
    try:
        store = open_operations(settings)
    except ConfigError:
        return
    for fault in projections().faults().values():
        yield Finding("views", "problem", fault)
    try:
        found = list(_databases(store))
        yield from found
        if not any(finding.verdict == "problem" for finding in found):
            yield from _movement(store, settings)
    finally:
        store.close()


def _databases(store: Operations) -> Iterator[Finding]:
    is_well = True
    for name in projections().names():
        try:
            fault = store.databases.examine(name)
        except SynapseStreamError as error:
            yield Finding("store", "problem", str(error))
            return
        if fault is not None:
            is_well = False
            yield Finding("store", "problem", f"{name}: {fault.text}", _advice(name, fault))
    if is_well:
        yield Finding("store", "ok", "all databases can be read")


def _advice(name: str, fault: Fault) -> str | None:
    """Return what mends a damaged file; the archive's is all that there is of most runs."""
    if fault.file is None:
        return None
    file = shlex.quote(fault.file)
    if name not in projections().folded():
        return (
            "keep the file: trimmed runs are nowhere else. Stop the consumers, and put a copy of "
            f"it back, or what is readable: sqlite3 {file} .recover | sqlite3 recovered.db"
        )
    return (
        f"stop the consumers, move it away: mv {file} {file}.damaged, start them, "
        f"and fill the view from the archive: synapse-stream rebuild {name}"
    )


def _movement(store: Operations, settings: Settings) -> Iterator[Finding]:
    log = FeedLog.open(settings)
    try:
        log.check(found=False)
        lags = list(measure(store, log))
    except (ConfigError, LogUnavailable):
        return  # said elsewhere
    except SynapseStreamError as error:
        yield Finding("projections", "problem", str(error))
        return
    finally:
        log.close()
    behind, idle = late(lags), unowned(lags)
    for name, seconds in behind.items():
        start = f"start it: python -m consumers {name}"
        advice = start if name in idle else f"see what its consumer logs; {start}"
        yield Finding("projections", "problem", f"{name} is {span(seconds)} behind", advice)
    if not behind:
        yield Finding("projections", "ok", "none is behind")
