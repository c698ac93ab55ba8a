"""How spools that dead processes left are told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synapse_stream.cli.shared.output import coloured
from synapse_stream.saying.text import one_line

if TYPE_CHECKING:
    from synapse_stream.producer.adoption.adopt import Adoption

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def adoption_line(adoption: Adoption) -> str:
    """Say what became of one spool."""
    if adoption.trouble and not adoption.sent and not adoption.is_lost:
        return coloured(left_line(adoption), "red")
    said = f"job {one_line(adoption.job_id)}: {adoption.sent} events sent from {adoption.place}"
    if adoption.is_lost:
        said += "; its process had died, which is now recorded"
    if adoption.waiting or adoption.trouble:
        said += coloured(f"; {adoption.waiting} still wait: {adoption.trouble}", "red")
    return said


def left_line(adoption: Adoption) -> str:
    """Say which spool waits, whose it is, and why it is not sent."""
    reason = one_line(adoption.trouble or "")
    if not adoption.job_id:
        return f"spool {adoption.place} of user {adoption.user}: {reason}"
    who = f"process {adoption.pid} on {one_line(adoption.host)}, user {adoption.user}"
    age = adoption.age_seconds
    sign = "" if age is None else f", last sign {duration(age)} ago"
    return (
        f"job {one_line(adoption.job_id)}: 0 events sent, {adoption.waiting} still wait: "
        f"{reason} ({who}{sign}; {adoption.place})"
    )


def duration(seconds: float) -> str:
    """Say a length of time in its largest fitting unit."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
