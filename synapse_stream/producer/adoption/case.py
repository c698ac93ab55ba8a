"""One spool, opened and judged."""

from __future__ import annotations

import pwd
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from synapse_stream.errors import DecodeError
from synapse_stream.producer.adoption.evidence import COLD, HOT, gather
from synapse_stream.producer.adoption.left import LeftHome
from synapse_stream.producer.adoption.verdict import Evidence, Kind, Process, Verdict, judge
from synapse_stream.producer.spool.info import DESCRIPTION, UnknownFormat
from synapse_stream.producer.spool.roots import roots_in
from synapse_stream.system.descriptors import NO_DESCRIPTOR

if TYPE_CHECKING:
    from synapse_stream.producer.adoption.search import Pair
    from synapse_stream.producer.spool.info import Place, ProducerInfo


class Case:
    """A spool with the verdict over it, locked if nobody else holds it; use it in a `with`."""

    def __init__(self, pair: Pair, producer: str, memory: Path) -> None:
        """Open a spool.

        Args:
            pair: where it is; a home elsewhere is found by what the one here says.
            producer: whose.
            memory: where shared memory is.
        """
        self.producer = producer
        self.homes: dict[str, LeftHome] = {}
        """Those that are here, `hot` before `cold`."""
        self.info: ProducerInfo | None = None
        self.path = next(root / producer for root in reversed(pair) if root is not None)
        """Where it is, for people."""
        self._pair = pair
        self._memory = memory
        self._evidence: Evidence | None = None
        self._stack = ExitStack()
        try:
            self.verdict = self._judge()
        except BaseException:
            self._stack.close()
            raise

    @property
    def is_alive(self) -> bool:
        """True when its process is seen to live; somebody else's lock alone does not show that."""
        evidence = self._evidence
        is_seen = evidence is not None and (evidence.is_kept or evidence.process is Process.RUNS)
        return is_seen and self.verdict.kind is Kind.LIVING

    @property
    def uid(self) -> int:
        """Number of the user whose it is; -1: it cannot be told."""
        return next((home.uid for home in self.homes.values()), -1)

    @property
    def owner(self) -> str:
        """Name of the user whose it is."""
        try:
            uid = self.path.lstat().st_uid
            return pwd.getpwuid(uid).pw_name
        except (OSError, KeyError):
            return "unknown"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _judge(self) -> Verdict:
        for name, root in self._pair.named().items():
            try:
                self.homes[name] = self._stack.enter_context(LeftHome(root / self.producer))
                self.path = root / self.producer
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in NO_DESCRIPTOR:
                    raise  # that tells nothing of the spool
                return _unreadable(root / self.producer, error)
        try:
            self.info = self._describe()
        except UnknownFormat as error:
            return Verdict(Kind.UNREADABLE, f"a later version wrote it: {error}")
        except (DecodeError, OSError) as error:
            return _unreadable(self.path / DESCRIPTION, error)
        self._find_the_other(self.info)
        is_locked = False in [home.try_lock() for home in self.homes.values()]
        if not all(home.is_in_place() for home in self.homes.values()):
            return Verdict(Kind.LIVING)  # somebody else is just removing it
        self._evidence = gather(self.info, self.homes, self._drafts(), is_locked=is_locked)
        return judge(self._evidence)

    def _describe(self) -> ProducerInfo:
        """Read `producer.json` of any home: they are the same."""
        failures: list[Exception] = []
        for home in reversed(self.homes.values()):
            try:
                return home.describe()
            except (DecodeError, OSError) as error:
                failures.append(error)
        raise failures[0] if failures else FileNotFoundError(str(self.path))

    def _find_the_other(self, info: ProducerInfo) -> None:
        """Open a home that is not in this pair: the very directory of its owner, wherever it is.

        One process may have begun as another user, and the data directory of another be gone.
        """
        if any(home.is_alone for home in self.homes.values()):
            return
        if info.hot is not None and HOT not in self.homes:
            for root in roots_in(self._memory):
                self._take_if_it_is(HOT, root / self.producer, info.hot)
        if info.cold is not None and COLD not in self.homes:
            self._take_if_it_is(COLD, Path(info.spool_root, self.producer), info.cold)
        self.homes = {name: self.homes[name] for name in (HOT, COLD) if name in self.homes}

    def _take_if_it_is(self, name: str, path: Path, place: Place) -> None:
        with suppress(OSError), ExitStack() as stack:
            found = stack.enter_context(LeftHome(path))
            if found.place == place and {found.uid} == {home.uid for home in self.homes.values()}:
                self.homes[name] = found
                self._stack.push(stack.pop_all())

    def _drafts(self) -> dict[str, Place]:
        """Return hidden directories of the name: homes that never were finished."""
        found = {}
        for name, root in self._pair.named().items():
            if name not in self.homes:
                try:
                    draft = (root / f".{self.producer}").lstat()
                except OSError:
                    continue
                found[name] = (draft.st_dev, draft.st_ino)
        return found


def _unreadable(path: Path, error: Exception) -> Verdict:
    if isinstance(error, PermissionError):
        return Verdict(Kind.UNREADABLE, "permission denied")
    if isinstance(error, OSError):
        what = "a symbolic link is not followed" if path.is_symlink() else error.strerror
        return Verdict(Kind.UNREADABLE, f"{path}: {what}")
    return Verdict(Kind.UNREADABLE, f"{path}: {error}")
