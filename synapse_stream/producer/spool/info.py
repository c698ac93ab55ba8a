"""`producer.json`: who writes a spool, where it runs, and what the spool consists of."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

import orjson

from synapse_stream.errors import DecodeError
from synapse_stream.system.identity import Identity, myself

if TYPE_CHECKING:
    from synapse_stream.settings import Settings

DESCRIPTION = "producer.json"
_FORMAT = 2

Place = tuple[int, int]
"""Device and inode of a directory: a copy of it has others."""


class UnknownFormat(DecodeError):
    """A later version wrote it; nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class ProducerInfo:
    """What is written once, before the spool is visible, and never changed."""

    producer: str
    job_id: str
    rank: int | None
    """None for a child process: its death is not the death of the rank."""
    owner: Identity
    namespace: str
    server: str
    """Address of the server, masked."""
    has_server: bool
    """False when no server was named: then the events are for whichever comes."""
    spool_root: str
    """Where the home on disk is, or was to be."""
    parent: str | None = None
    """Producer that opened the run, of a child process."""
    hot: Place | None = None
    """The home in shared memory; None: there is none."""
    cold: Place | None = None
    """The home on disk; None: there is none."""
    shows_life: tuple[str, ...] = ()
    """The homes, `hot` and `cold`, whose file system tells that the process lives."""
    made: float = field(default_factory=time.time)

    @classmethod
    def of(
        cls, settings: Settings, producer: str, job_id: str, rank: int | None, parent: str | None
    ) -> Self:
        """Describe a new producer of this process."""
        return cls(
            producer=producer,
            job_id=job_id,
            rank=rank,
            owner=myself(),
            namespace=settings.namespace,
            server=settings.server,
            has_server=settings.has_server,
            spool_root=str(settings.spool_root),
            parent=parent,
        )

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read the content of `producer.json`.

        Raises:
            UnknownFormat: a later version wrote it.
            DecodeError: it is damaged, or none.
        """
        try:
            found: dict[str, Any] = orjson.loads(content)
            written = found.pop("format")
            if type(written) is int and written > _FORMAT:
                msg = f"it has format {written}, this version knows up to {_FORMAT}"
                raise UnknownFormat(msg)
            return cls._of_first_format(found) if written == 1 else cls._of(found)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, UnknownFormat):
                raise
            msg = f"it does not describe a producer: {type(error).__name__}: {error}"
            raise DecodeError(msg) from error

    def dump(self) -> bytes:
        """Return the content of `producer.json`."""
        return orjson.dumps({"format": _FORMAT, **asdict(self)}, option=orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def _of(cls, found: dict[str, Any]) -> Self:
        for name in ("hot", "cold"):
            if found[name] is not None:
                device, inode = map(int, found[name])
                found[name] = (device, inode)
        owner = Identity(**found.pop("owner"))
        shows_life = tuple(map(str, found.pop("shows_life")))
        info = cls(**found, owner=owner, shows_life=shows_life)
        info._check()
        return info

    @classmethod
    def _of_first_format(cls, found: dict[str, Any]) -> Self:
        """Read what said neither when nor on which system the process ran, nor what it had."""
        owner = Identity(found.pop("host"), None, None, found.pop("pid"), None, None, -1)
        found.pop("has_memory", None)
        info = cls(**found, owner=owner, has_server=True, spool_root="", made=0.0)
        info._check()
        return info

    def _check(self) -> None:
        """Refuse what would fail later, in the middle of something."""
        texts = (self.producer, self.job_id, self.namespace, self.server, self.owner.host)
        numbers = (self.owner.pid, self.owner.uid, self.made)
        if not all(isinstance(text, str) for text in texts) or not isinstance(self.spool_root, str):
            raise TypeError("a text is none")
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise TypeError("a number is none")
