"""Adoption: what killed plugins left in their spools is sent by whoever comes next on this host.

Only a spool whose process is dead for certain and that is here as a whole; `verdict` tells. If the
process had not ended its run, `producer_lost` is appended as its last event. A spool whose events
are all acknowledged stays for the rewind window, in case the server loses its tail, and is then
removed.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from synapse_stream.errors import ConfigError, DecodeError, LogUnavailable
from synapse_stream.log import met
from synapse_stream.log.url import server_key
from synapse_stream.producer.adoption.belonging import Mandate, is_for, is_served, why_not
from synapse_stream.producer.adoption.case import Case
from synapse_stream.producer.adoption.grounds import Ground, Grounds
from synapse_stream.producer.adoption.left import LeftHome
from synapse_stream.producer.adoption.rescue import Adoption, Rescue
from synapse_stream.producer.adoption.search import spools
from synapse_stream.producer.adoption.seat import Seat
from synapse_stream.producer.adoption.verdict import Kind
from synapse_stream.producer.shipping.line import Line
from synapse_stream.producer.spool.children import children
from synapse_stream.producer.spool.ended import note_ended
from synapse_stream.producer.spool.notes import claims
from synapse_stream.saying import voice
from synapse_stream.system.descriptors import NO_DESCRIPTOR
from synapse_stream.system.identity import is_running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from synapse_stream.producer.shipping.port import Log
    from synapse_stream.producer.spool.ended import Ended
    from synapse_stream.settings import Settings

__all__ = ["Adopter", "Adoption", "Mandate", "adopt_all"]

_AUTOMATIC, _BY_HAND = Mandate(), Mandate(is_explicit=True)


class Adopter:
    """Finds spools of dead processes and sends what is in them.

    It remembers what it saw, so calling `adopt` often costs little. Without a mandate of an
    operator it is one of many, and only one of them works at a time.
    """

    def __init__(
        self,
        settings: Settings,
        open_log: Callable[[], Log],
        mandate: Mandate = _AUTOMATIC,
    ) -> None:
        self._settings = settings
        self._mandate = mandate
        self._seat = Seat(settings)
        self._grounds = Grounds(settings)
        self._line = Line(open_log)
        self._away: str | None = None

    def adopt(self) -> list[Adoption]:
        """Go through the spools of this host once; those of other places only with a mandate.

        Without one, what has no data directory any more is looked after, too, as far as it is this
        user's and for our server, and the children of our runs that have become another user.
        """
        is_explicit = self._mandate.is_explicit
        if not is_explicit and not self._seat.take():
            return []
        try:
            own = self._grounds.own()
            adoptions = self._go_through(own, own.memory.due(own.pair, self._ask))
            if self._mandate.is_everywhere:
                for ground, names in self._grounds.everywhere():
                    adoptions += self._go_through(ground, names)
            elif not is_explicit:
                for ground, names in self._grounds.beside():
                    found = self._go_through(ground, names)
                    adoptions += [one for one in found if one.sent or one.is_lost]
            return adoptions
        finally:
            self.close()

    def adopt_children(self, names: Iterable[str], deadline: float) -> list[Adoption]:
        """Send what dead children of a producer left, and theirs, until a time (`monotonic`)."""
        adoptions: list[Adoption] = []
        waiting = list(names)
        try:
            while waiting and time.monotonic() < deadline:
                name = waiting.pop(0)
                ground = self._grounds.of(name)
                if ground is not None:
                    homes = [root / name for root in ground.pair.named().values()]
                    waiting += [child.producer for child in children(homes) if child.producer]
                    adoptions += self._go_through(ground, [name])
        finally:
            self.close()
        return adoptions

    def release(self) -> None:
        """Leave the work to another process."""
        self._seat.release()

    def close(self) -> None:
        """Drop the connection."""
        self._line.close()
        self._away = None

    def _go_through(self, ground: Ground, names: Iterable[str]) -> list[Adoption]:
        adoptions: list[Adoption] = []
        for name in names:
            try:
                adoption = self._look(ground, name)
            except Exception as error:  # noqa: BLE001 - one odd spool must not keep the others waiting
                if isinstance(error, OSError) and error.errno in NO_DESCRIPTOR:
                    ground.memory.retry_soon(name)
                    return adoptions  # nothing can be opened now
                ground.memory.put_off(name)
                reason = f"it cannot be read and stays: {type(error).__name__}: {error}"
                path = next(iter(ground.pair.named().values())) / name
                adoption = Adoption("", name, str(path), 0, 0, is_lost=False, trouble=reason)
                if ground.is_own and ground.memory.is_news(name, reason):
                    voice.warn("the spool %s cannot be read and stays: %s", path, error)
            if adoption is not None:
                adoptions.append(adoption)
        return adoptions

    def _look(self, ground: Ground, name: str) -> Adoption | None:
        owner = ground.memory.living(name)
        if owner is not None and is_running(owner.pid, owner.started):
            return None
        with Case(ground.pair, name, self._settings.memory_dir) as case:
            info, kind = case.info, case.verdict.kind
            if kind is Kind.LIVING:
                self._grounds.note_strays(case)
                ground.memory.note_living(name, info)
                return None
            ground.memory.put_off(name)
            if info is None or kind is Kind.UNREADABLE:
                return _unreadable(case)
            rescue = Rescue(case, info, self._settings)
            is_sure = self._is_sure(rescue)
            longest = self._settings.adopt_unproved_seconds
            if not is_sure and rescue.orphan.age_seconds <= longest:
                return self._report(rescue, self._unproved(case))
            return self._send(rescue, ground, is_sure=is_sure)

    def _is_sure(self, rescue: Rescue) -> bool:
        """Tell whether its process is dead for certain, and all that matters here."""
        kind = rescue.case.verdict.kind
        is_whole = kind in {Kind.WHOLE, Kind.REST} or (kind is Kind.PART and rescue.has_all)
        return is_whole or rescue.info.owner.host in self._mandate.dead_hosts

    def _send(self, rescue: Rescue, ground: Ground, *, is_sure: bool) -> Adoption | None:
        info, memory = rescue.info, ground.memory
        try:
            log = self._connect()
        except (LogUnavailable, ConfigError) as error:
            memory.retry_soon(info.producer)
            return self._report(rescue, str(error))
        reason = why_not(
            info,
            rescue.journal.claims,
            self._deployment,
            self._settings,
            self._mandate,
            is_ours=ground.is_own or self._is_from_here(rescue),
        )
        if reason is not None:
            return self._leave(rescue, ground, reason)
        if self._mandate.only_looks:
            return rescue.look(log)
        adoption = rescue.send(self._line, is_sure=is_sure)
        if adoption is not None and adoption.trouble is not None:
            memory.retry_soon(info.producer)
        elif adoption is not None:
            rescue.claim(self._deployment)
            self._settle(rescue, ground)
        return adoption

    def _is_from_here(self, rescue: Rescue) -> bool:
        """Tell whether it has lost a data directory that was where ours is."""
        is_mine = rescue.case.uid == os.geteuid()
        return is_mine and rescue.info.spool_root == str(self._settings.spool_root)

    def _leave(self, rescue: Rescue, ground: Ground, reason: str) -> Adoption | None:
        """Leave a spool to others; if it is kept for nothing, and for long, delete it."""
        ground.memory.put_off(rescue.info.producer, is_long=not ground.is_own)
        if rescue.is_kept_for_nothing and not self._mandate.only_looks:
            rescue.orphan.remove()
            return None
        return self._report(rescue, reason)

    def _settle(self, rescue: Rescue, ground: Ground) -> None:
        """Keep a complete spool for the rewind window, and remember that it is complete."""
        has_strays = self._grounds.note_strays(rescue.case)  # else it is to be looked at again
        if rescue.orphan.age_seconds > self._settings.rewind_seconds:
            rescue.orphan.remove()
            return
        rescue.shrink()
        cold = ground.pair.cold
        if cold is not None and not has_strays:
            ended = rescue.ended(self._deployment)
            if ground.memory.note_ended(ended):
                note_ended(cold, ended)

    def _ask(self, known: list[Ended]) -> list[Ended]:
        """Return of spools that the server had as a whole those that it still has."""
        if not known:
            return []
        try:
            log = self._connect()
            served = [ended for ended in known if is_served(self._settings, ended.job_id)]
            ours = [ended for ended in served if ended.deployment == self._deployment]
            heads = log.heads([(ended.job_id, ended.name) for ended in ours])
        except (LogUnavailable, ConfigError):
            return known
        others = [ended for ended in known if ended not in served]
        return others + [
            ended
            for ended, head in zip(ours, heads, strict=True)
            if head.last > ended.number
            or (head.last, head.hash.hex()) == (ended.number, ended.hash)
        ]

    def _unproved(self, case: Case) -> str:
        """Say why a spool is left alone, and what takes it."""
        host = case.info.owner.host if case.info else ""
        hours = self._settings.adopt_unproved_seconds / 3600
        return (
            f"{case.verdict.reason}; if that does not come back, "
            f"`synapse-stream drain --from-dead-host {host}` sends what is here, and {hours:g} h "
            "after its last sign any run does"
        )

    def _report(self, rescue: Rescue, reason: str) -> Adoption | None:
        """Say what waits; of a spool that ended and was acknowledged nothing does."""
        adoption = rescue.report(reason)
        return adoption if adoption.waiting or not rescue.orphan.is_closed else None

    @property
    def _deployment(self) -> str:
        return self._line.deployment or ""

    def _connect(self) -> Log:
        """Reach the server; when it is away, that is found out once for all spools."""
        if self._away is not None:
            raise LogUnavailable(self._away)
        is_new = not self._line.is_open
        if is_new:
            self._recall()
        try:
            log = self._line.connected()
        except (LogUnavailable, ConfigError) as error:
            self._away = str(error)
            raise
        if is_new:
            met.keep(self._settings.spool_root)
        return log

    def _recall(self) -> None:
        """Have a server that was emptied get the id again that spools for it know."""
        settings = self._settings
        server, root = server_key(settings.server), settings.spool_root
        if met.is_known(server, settings.namespace, root):
            return
        for homes in spools(settings).values():
            with contextlib.suppress(OSError, DecodeError), LeftHome(homes[0]) as home:
                found = claims(homes)
                if found and is_for(home.describe(), settings):
                    met.remember(server, settings.namespace, found[-1])
                    return


def adopt_all(
    settings: Settings, open_log: Callable[[], Log], mandate: Mandate = _BY_HAND
) -> list[Adoption]:
    """Send what dead processes left, as an operator asks for who names the server."""
    return Adopter(settings, open_log, mandate).adopt()


def _unreadable(case: Case) -> Adoption:
    return Adoption(
        "", case.producer, str(case.path), 0, 0, is_lost=False, trouble=case.verdict.reason,
        user=case.owner,
    )  # fmt: skip
