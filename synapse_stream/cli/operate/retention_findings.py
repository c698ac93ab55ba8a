"""What `doctor` finds about memory over time: how fast it fills, and who holds trimming back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.cli.operate.findings import Finding
from synapse_stream.cli.shared.tables import span
from synapse_stream.errors import ConfigError, SynapseStreamError
from synapse_stream.log.trimming import TrimLog
from synapse_stream.operating.retention import Trimmer
from synapse_stream.ports.operations import open_operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.operating.retention import Cut
    from synapse_stream.settings import Settings

_MIB = 1024 * 1024
_DAY = 86_400.0
_LATE_SECONDS = 60.0
"""What a projection may be behind without a word, and what is too short to tell a rate from."""


def examine_retention(settings: Settings) -> Iterator[Finding]:
    """Yield what is found; nothing when the server is away, which is said elsewhere."""
    log = TrimLog.open(settings)
    try:
        store = open_operations(settings)
        try:
            cuts = Trimmer(store, log, settings).cuts()
        finally:
            store.close()
        yield _growth(log, cuts)
    except ConfigError as error:
        advice = "run doctor where the consumers are, with their STORE_URL"
        yield Finding("retention", "warning", f"not known without the store: {error}", advice)
    except SynapseStreamError as error:
        yield Finding("retention", "warning", f"not known: {error}")
    finally:
        log.close()


def _growth(log: TrimLog, cuts: Sequence[Cut]) -> Finding:
    report = log.server_report()
    seconds = _seconds_held(log)
    daily = report.used_bytes / seconds * _DAY if seconds > _LATE_SECONDS else 0.0
    rate = f"; {daily / _MIB:.0f} MiB a day at the present rate" if daily else ""
    late = _latest(cuts)
    if not late:
        return Finding("retention", "ok", f"streams are trimmed{rate}")
    room = (report.max_bytes or report.machine_bytes) - report.used_bytes
    lasts = f", memory lasts {span(max(0.0, room) / daily * _DAY)}" if daily and room else ""
    who = ", ".join(f"{name} by {span(behind)}" for name, behind in sorted(late.items()))
    return Finding(
        "retention",
        "warning",
        f"trimming is held back: {who}{rate}{lasts}",
        f"start it: python -m consumers {min(late)}; a view that is gone for good: "
        "synapse-stream trim --retire NAME",
    )


def _seconds_held(log: TrimLog) -> float:
    """Return the age of the oldest entry that is in the streams; 0 when there is none."""
    oldest = [
        pointers[0].entry[0]
        for partition in range(log.keys.partitions)
        if (pointers := log.read_feed(partition, limit=1))
    ]
    return max(1, log.now_ms() - min(oldest)) / 1000 if oldest else 0.0


def _latest(cuts: Sequence[Cut]) -> dict[str, float]:
    """Return the projections that are late, and by how many seconds at most."""
    late: dict[str, float] = {}
    for cut in cuts:
        for name, behind in cut.held_back.items():
            if behind > _LATE_SECONDS:
                late[name] = max(behind, late.get(name, 0.0))
    return late
