"""What must be known of a run beside how it stands, in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.ports.views.run_state import Attempt, ResumedProcess

_SHOWN = 3


def of_attempt(run: Attempt) -> list[str]:
    """Return what must be known of an attempt; nothing of most."""
    said = []
    if run.is_ending:
        said.append("asked to end by a signal; its own end has not come yet")
    elif run.signal is not None:
        said.append(f"{run.signal} asked it to end; it went on, and ended by itself")
    if run.rejected:
        values = "1 value was" if run.rejected == 1 else f"{run.rejected} values were"
        said.append(f"{values} not as the report call takes them: kept as dev events")
    said += [_resumed(one) for one in run.resumed[:_SHOWN]]
    if len(run.resumed) > _SHOWN:
        said.append(f"{len(run.resumed) - _SHOWN} more processes go on under other names")
    return said


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


def _resumed(one: ResumedProcess) -> str:
    who = "a child process" if one.rank is None else f"rank {one.rank}"
    return (
        f"the record was interfered with: somebody else reported as {who} under {one.producer}, "
        f"where numbers above {one.last} are not its own; it goes on as {one.heir}"
    )
