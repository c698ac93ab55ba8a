"""Adoption: what killed plugins left in their spools is sent by whoever comes next on this host.

A free lock proves that the process is dead. If it had not ended its run, `producer_lost` is
appended as its last event. A spool whose events are all acknowledged stays for the rewind window,
in case the server loses its tail, and is then removed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.producer.home import Home, ProducerInfo, bury, hot_root
from synapse_stream.producer.orphan import Orphan
from synapse_stream.producer.shipper import Shipper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from synapse_stream.log.event_log import EventLog
    from synapse_stream.settings import Settings

_logger = logging.getLogger("synapse_stream")

_CHECK_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Adoption:
    """What became of one spool whose process is gone."""

    job_id: str
    producer: str
    place: str
    sent: int
    """Events that were sent now."""
    waiting: int
    """Events that still wait."""
    is_lost: bool
    """True when the process had died without ending its run, and this was recorded now."""
    trouble: str | None
    """Why events still wait."""


class Adopter:
    """Finds spools of dead processes and sends what is in them.

    Spools found complete are looked at again only now and then, so calling `adopt` often costs
    little.
    """

    def __init__(self, settings: Settings, open_log: Callable[[], EventLog]) -> None:
        self._settings = settings
        self._open_log = open_log
        self._complete_at: dict[str, float] = {}

    def adopt(self) -> list[Adoption]:
        """Go through all spools of this host once."""
        adoptions = []
        for root in _roots(self._settings):
            bury(root)
        found = spools(self._settings)
        self._complete_at = {name: at for name, at in self._complete_at.items() if name in found}
        for producer, paths in sorted(found.items()):
            checked = self._complete_at.get(producer)
            if checked is not None and time.monotonic() - checked < _CHECK_AGAIN_SECONDS:
                continue
            try:
                adoption = self._adopt(paths)
            except Exception as error:  # noqa: BLE001 - one odd spool must not keep the others waiting
                if checked is None:
                    _logger.warning("the spool %s cannot be read and stays: %s", paths[-1], error)
                self._complete_at[producer] = time.monotonic()
                continue
            if adoption is not None:
                adoptions.append(adoption)
        return adoptions

    def _adopt(self, paths: list[Path]) -> Adoption | None:
        with _taken_over(paths) as homes:
            # A home may have come since we looked: its process has begun, and died, in between.
            if homes is None or _homes_of(paths[0].name, self._settings) != paths:
                return None
            info = ProducerInfo.load(homes[-1].path / "producer.json")
            if (info.namespace, info.server) != (self._settings.namespace, self._settings.server):
                return None
            orphan = Orphan(info, homes)
            adoption = self._send(orphan)
            if adoption.trouble is None:
                self._complete_at[info.producer] = time.monotonic()
                if orphan.age_seconds > self._settings.rewind_seconds:
                    orphan.remove()
            return adoption

    def _send(self, orphan: Orphan) -> Adoption:
        info = orphan.info
        shipper = Shipper(orphan, info.producer, self._open_log)
        trouble = None
        is_lost = False
        known = orphan.last  # nothing was sent unless the server says otherwise
        shipper.trust()
        try:
            known = shipper.find_place()
            shipper.ship_all()
            if not orphan.is_closed:  # after the rest, because there may be no room to write it
                orphan.declare_lost(max(orphan.last, orphan.acknowledged) + 1)
                is_lost = True
                shipper.ship_all()
        except (LogUnavailable, ConfigError) as error:
            trouble = str(error)
        finally:
            shipper.close()
        reached = max(known, orphan.acknowledged)
        waiting = max(0, orphan.last - orphan.acknowledged)
        sent = reached - known if orphan.acknowledged >= 0 else 0
        return Adoption(info.job_id, info.producer, orphan.place, sent, waiting, is_lost, trouble)


def adopt_all(settings: Settings, open_log: Callable[[], EventLog]) -> list[Adoption]:
    """Send everything that dead processes left in the spools of this host."""
    return Adopter(settings, open_log).adopt()


def spools(settings: Settings) -> dict[str, list[Path]]:
    """Return every spool on this host, of living processes too: producer → hot and cold home."""
    found: dict[str, list[Path]] = {}
    for root in _roots(settings):
        with contextlib.suppress(FileNotFoundError):  # an empty root may be removed at any time
            for path in root.iterdir():
                if (path / "producer.json").exists():
                    found.setdefault(path.name, []).append(path)
    return found


def _homes_of(producer: str, settings: Settings) -> list[Path]:
    return [root / producer for root in _roots(settings) if (root / producer).is_dir()]


def _roots(settings: Settings) -> list[Path]:
    roots = (hot_root(settings.spool_root), settings.spool_root)
    return [root for root in roots if root is not None and root.is_dir()]


@contextlib.contextmanager
def _taken_over(paths: list[Path]) -> Iterator[list[Home] | None]:
    """Hold the locks of all homes of a spool; None when it is somebody else's."""
    homes: list[Home] = []
    try:
        for path in paths:
            home = Home.take_over(path)
            if home is None:
                break
            homes.append(home)
        yield homes if homes and len(homes) == len(paths) else None
    finally:
        for home in homes:
            home.release()
