"""What a process and its children print becomes `log` events, past Python: of C code, too.

    with open_run("job-42"), capture_output():
        ...

What is printed goes where it went, and through a process of its own that records it: so nothing of
it is lost, however this one ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synapse_stream.integrations.output.capture import Capture
    from synapse_stream.reporting.context import RuntimeContext

__all__ = ["capture_output"]


def capture_output(run: RuntimeContext | None = None) -> Capture:
    """Record from now on what is written to standard output and standard error, line by line.

    Until the returned block is left, `close` is called, or the process and all that have inherited
    its output have ended. A bar that is drawn over and over is one line: as it was last. Where
    it cannot be done it is said, and everything is printed as before. A second one, while the first
    is open, does nothing.

    Args:
        run: the run to report to; None: the one that is open, else a new one.
    """
    from synapse_stream.integrations.output.capture import Capture  # noqa: PLC0415 - starts quickly

    return Capture(run)
