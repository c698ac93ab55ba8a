"""What was found, as far as anybody reads it: who may write to a store can make any number."""

from __future__ import annotations

from synapse_stream.ports.audit import Finding

MOST = 1_000


class Findings(list[Finding]):
    """The first findings; `has_more` tells whether there were others."""

    def __init__(self) -> None:
        super().__init__()
        self.has_more = False

    def append(self, finding: Finding, /) -> None:
        """Add one, if there is room."""
        if len(self) < MOST:
            super().append(finding)
        else:
            self.has_more = True
