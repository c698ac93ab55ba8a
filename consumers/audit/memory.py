"""What store, server and signer remember of the newest anchors, so that none can be cut in silence.

Anchors are a chain of lines in files that lie elsewhere. Nothing in them tells that a tail is gone,
or all of it, as when their folder is not mounted. So whoever signs remembers the number and digest
of the last line in three places, signs nothing behind a line that is not it, and `verify` compares.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from consumers.audit.anchoring import anchors_of, keys_of
from consumers.audit.anchors import digest
from consumers.errors import AnchorsRefused
from consumers.store.anchor_heads import AnchorHeads
from consumers.views.opening import open_databases
from synapse_stream.errors import DecodeError
from synapse_stream.log.feeds import FeedLog
from synapse_stream.system.private import make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from consumers.audit.anchoring import Anchors, Sign
    from consumers.store.databases import Databases
    from synapse_stream.settings import Settings

_HEAD = re.compile(r"(\d{1,15}) ([0-9a-f]{64})")


class Head(NamedTuple):
    """The last line of a file of anchors."""

    no: int
    """How many lines stand before it."""
    digest: str

    @classmethod
    def of(cls, line: bytes) -> Head | None:
        """Return that of a line; None of one that is no anchor."""
        try:
            no = orjson.loads(line)["no"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        return cls(no, digest(line)) if type(no) is int else None

    @classmethod
    def parse(cls, text: Any) -> Head | None:
        """Read what `str` gives; None for anything else."""
        found = _HEAD.fullmatch(text) if isinstance(text, str) else None
        return cls(int(found[1]), found[2]) if found else None

    def __str__(self) -> str:
        return f"{self.no} {self.digest}"


class Memory:
    """What is remembered of a deployment's anchors. Connects for one call: they are rare.

    Every method raises an OSError when store or server is away.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = settings.data_dir / "anchors-remembered"

    def recall(self, partition: int) -> dict[str, Head]:
        """Return who remembers which line as the last one of a partition."""
        with closing(open_databases(self._settings)) as databases:
            store = AnchorHeads(databases).recall(partition).get("head")
        with closing(FeedLog.open(self._settings)) as log:
            server = log.anchors_upto(partition)
        heads = {
            "the store": Head.parse(store),
            "the server": Head.parse(server),
            "this machine": Head.parse(self._read(partition)),
        }
        return {place: head for place, head in heads.items() if head}

    def begun(self, partition: int) -> dict[str, Any]:
        """Return when the anchors of a partition were begun anew, and how many were there before.

        Empty where they never were.
        """
        with closing(open_databases(self._settings)) as databases:
            found = AnchorHeads(databases).recall(partition).get("begun")
        return found if isinstance(found, dict) else {}

    def remember(self, partition: int, head: Head) -> None:
        """Have all remember a line as the last one; nothing is refused any more."""
        with closing(open_databases(self._settings)) as databases:
            _change(databases, partition, head=str(head), refused=None)
        with closing(FeedLog.open(self._settings)) as log:
            log.note_anchors(partition, str(head))
        self._write(partition, str(head))

    def refuse(self, partition: int, reason: str) -> None:
        """Have it be known that nothing is signed in a partition."""
        with closing(open_databases(self._settings)) as databases:
            _change(databases, partition, refused=reason)

    def forget(self, partition: int, lost: int) -> None:
        """Have the anchors of a partition begin anew, and remember that, and how many are lost."""
        begun = {"time_ms": time.time_ns() // 1_000_000, "lost": lost}
        with closing(open_databases(self._settings)) as databases:
            _change(databases, partition, head=None, refused=None, begun=begun)
        with closing(FeedLog.open(self._settings)) as log:
            log.note_anchors(partition, "")
        self._write(partition, "")

    def _read(self, partition: int) -> str:
        try:
            return self._file(partition).read_text()
        except FileNotFoundError:
            return ""

    def _write(self, partition: int, text: str) -> None:
        make_folder(self._folder)
        file = self._file(partition)
        new = file.with_name(f"{file.name}.{os.getpid()}.new")
        new.write_text(text)
        new.replace(file)

    def _file(self, partition: int) -> Path:
        return self._folder / f"{self._settings.namespace}.{partition}"


class GuardedAnchors:
    """Anchors that are only added to while they are what they were: the port `Anchors` to sign."""

    def __init__(self, anchors: Anchors, settings: Settings) -> None:
        self._anchors = anchors
        self._memory = Memory(settings)
        self._keys = keys_of(settings)

    def append(self, namespace: str, partition: int, sign: Sign) -> None:
        """Add to a file what `sign` makes of its last line, and remember the new last one.

        Raises:
            AnchorsRefused: its last line is not the one that is remembered, nor behind it.
            OSError: it could not be written, or nobody could be asked.
        """
        lines: list[bytes] = []

        def signed(before: bytes | None) -> list[bytes]:
            self._check(partition, self._anchors.name(namespace, partition), before)
            lines.extend(sign(before))
            return lines

        self._anchors.append(namespace, partition, signed)
        if lines and (head := Head.of(lines[-1])):
            self._memory.remember(partition, head)

    def lines(self, namespace: str, partition: int) -> Iterator[bytes]:
        """Yield the lines of one file in order."""
        return self._anchors.lines(namespace, partition)

    def files(self) -> Iterator[tuple[str, list[bytes]]]:
        """Yield the name of every file and its lines."""
        return self._anchors.files()

    def name(self, namespace: str, partition: int) -> str:
        """Return the name of a file."""
        return self._anchors.name(namespace, partition)

    def _check(self, partition: int, name: str, before: bytes | None) -> None:
        now = Head(-1, "") if before is None else Head.of(before)
        for place, head in self._memory.recall(partition).items():
            if now is None or now.no < head.no:
                found = "its last line is no anchor" if now is None else f"it has {now.no + 1}"
            elif now.no == head.no and now.digest != head.digest:
                found = f"its line {head.no + 1} is another"
            elif now.no > head.no and not self._is_ours(before or b""):
                found = "its last line was signed by nobody who may"
            else:
                continue
            reason = (
                f"{place} remembers {head.no + 1} anchors in {name}, but {found}: nothing is signed"
                " there until it is what it was; look whether its place is mounted. If those are "
                "gone for good, `synapse-stream anchors init` has new ones begin, and says so"
            )
            self._memory.refuse(partition, reason)
            raise AnchorsRefused(reason)

    def _is_ours(self, line: bytes) -> bool:
        try:
            return self._keys is not None and bool(self._keys.read(line))
        except DecodeError:
            return False


def anchors_to_sign(settings: Settings) -> GuardedAnchors | None:
    """Return where anchors are added; None when that is not set.

    Raises:
        ConfigError: the URL is wrong, or its driver is not installed.
    """
    anchors = anchors_of(settings)
    return GuardedAnchors(anchors, settings) if anchors else None


def _change(databases: Databases, partition: int, **content: Any) -> None:
    heads = AnchorHeads(databases)
    heads.remember(partition, heads.recall(partition) | content)
