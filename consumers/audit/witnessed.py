"""What witnesses say of the log of anchors, when it is verified."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from synapse_stream.errors import DecodeError
from synapse_stream.tlog.asking import Contradicted, cosigned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from synapse_stream.tlog.asking import KnownWitness
    from synapse_stream.tlog.checkpoint import Checkpoint, SignedCheckpoint
    from synapse_stream.tlog.folder import LogFolder

OLDEST_SECONDS = 600
"""How old a cosignature may be of who cannot be asked: a log that was rolled back has only old."""


class Witnessed:
    """Asks them; those without an address have left what they cosigned beside the log."""

    def __init__(self, folder: LogFolder, witnesses: Sequence[KnownWitness], required: int) -> None:
        self._folder = folder
        self._witnesses = witnesses
        self._required = required
        self.sizes: dict[str, int] = {}
        """By its name, up to how many entries each vouches for the log."""
        self.contradictions: list[str] = []
        self._whynot: list[str] = []
        self._cosigned: dict[str, SignedCheckpoint] = {}

    def ask(self, signed: SignedCheckpoint) -> dict[str, Checkpoint]:
        """Ask of the newest checkpoint; return the older ones that must be met, by who says so."""
        left = cosigned(self._folder, self._witnesses)
        self._cosigned = dict(left)
        if not self._required:
            return {}
        for one in self._witnesses:
            if one.url is not None:
                self._ask(one, signed)
        now = time.time()
        for one in self._witnesses:
            name, found = one.key.name, left.get(one.key.name)
            if name in self.sizes:
                continue
            if found is None:
                self._whynot.append(f"{name} has cosigned nothing that lies beside the log")
            elif now - (one.key.verify(found.note) or 0) > OLDEST_SECONDS:
                self._whynot.append(f"what {name} has cosigned is older than {OLDEST_SECONDS} s")
            else:
                self.sizes[name] = found.checkpoint.size
        return {name: found.checkpoint for name, found in left.items()}

    def checkpoints(self, number: int) -> list[SignedCheckpoint]:
        """Return what was cosigned with the entry of that number, each with all its signatures."""
        found: dict[str, SignedCheckpoint] = {}
        for one in self._cosigned.values():
            if one.checkpoint.size > number:
                before = found.setdefault(one.note.text, one)
                note = before.note.signed(one.note.signatures)
                found[one.note.text] = before._replace(note=note)
        return list(found.values())

    def doubts(self, newest: int) -> Iterator[str]:
        """Yield why a run is not vouched for whose newest anchor is the entry of that number."""
        sure = [name for name, size in self.sizes.items() if size > newest]
        if len(sure) < self._required:
            yield "; ".join(
                [f"{len(sure)} of {self._required} witnesses vouch for the log", *self._whynot]
            )

    def _ask(self, one: KnownWitness, signed: SignedCheckpoint) -> None:
        try:
            note = signed.note.signed([one.cosign(self._folder, signed)])
        except Contradicted as error:
            self.contradictions.append(str(error))
        except (OSError, DecodeError) as error:
            self._whynot.append(f"{one.key.name} does not answer: {error}")
        else:
            self.sizes[one.key.name] = signed.checkpoint.size
            self._cosigned[one.key.name] = signed._replace(note=note)
