"""Gathering what tells whether the process of a spool lives, and whether all of it is here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from synapse_stream.producer.adoption.verdict import Evidence, Kernel, Process
from synapse_stream.producer.spool.info import DESCRIPTION
from synapse_stream.system.boot import boot_id
from synapse_stream.system.identity import host_name, is_running, machine_id, maps, pid_namespace
from synapse_stream.system.mounts import is_local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_stream.producer.adoption.left import LeftHome
    from synapse_stream.producer.spool.info import Place, ProducerInfo
    from synapse_stream.system.identity import Identity

HOT, COLD = "hot", "cold"


def gather(
    info: ProducerInfo,
    homes: Mapping[str, LeftHome],
    drafts: Mapping[str, Place],
    *,
    is_locked: bool,
) -> Evidence:
    """Look at the homes of a spool and at its process.

    Args:
        info: as its process described it.
        homes: those that are here, `hot` or `cold` → home.
        drafts: hidden directories in the place of a home that is not here.
        is_locked: whether somebody else holds a lock.
    """
    declared = {name: place for name, place in ((HOT, info.hot), (COLD, info.cold)) if place}
    kernel = _kernel(info.owner, homes.get(COLD))
    is_alone = any(home.is_alone for home in homes.values())
    absent = [
        name
        for name, place in declared.items()
        if name not in homes and drafts.get(name) != place  # a draft: nothing was ever in it
    ]
    if kernel is Kernel.EARLIER and HOT in absent:
        absent.remove(HOT)  # memory does not outlive the kernel: it cannot be anywhere else
    return Evidence(
        is_locked=is_locked,
        is_kept=_is_kept(info, homes),
        kernel=kernel,
        process=_process(info, kernel),
        host=info.owner.host,
        missing=() if is_alone else tuple(_where(name, info) for name in absent),
        is_copy=info.made > 0
        and not all(
            _is_original(home.place, declared.get(name), kernel) for name, home in homes.items()
        ),
    )


def _is_original(found: Place, declared: Place | None, kernel: Kernel) -> bool:
    """Compare a directory with the one that was made; device numbers are dealt out at each boot."""
    if declared is None:
        return False
    return found == declared if kernel is Kernel.THIS else found[1] == declared[1]


def _kernel(owner: Identity, cold: LeftHome | None) -> Kernel:
    boot = boot_id()
    is_same_host = owner.host == host_name()
    if boot is None:  # not Linux: hosts are machines there
        return Kernel.THIS if owner.boot is None and is_same_host else Kernel.OTHER
    if owner.boot == boot:
        return Kernel.THIS
    is_same_machine = owner.machine is not None and owner.machine == machine_id()
    is_here = cold is not None and is_local(cold.path)
    is_earlier = owner.boot is not None and is_same_host and is_same_machine and is_here
    return Kernel.EARLIER if is_earlier else Kernel.OTHER


def _is_kept(info: ProducerInfo, homes: Mapping[str, LeftHome]) -> bool | None:
    told = {home.is_kept() for name, home in homes.items() if name in info.shows_life}
    if True in told:
        return True
    return False if False in told else None


def _process(info: ProducerInfo, kernel: Kernel) -> Process:
    owner = info.owner
    if kernel is not Kernel.THIS or owner.pid_namespace != pid_namespace():
        return Process.UNSEEN
    if not is_running(owner.pid, owner.started):
        return Process.GONE
    # It may be another program by now, put in the place of the one that made the spool.
    has_it = maps(owner.pid, f"/{info.producer}/{DESCRIPTION}")
    return Process.GONE if has_it is False else Process.RUNS


def _where(name: str, info: ProducerInfo) -> str:
    return "its shared memory" if name == HOT else str(Path(info.spool_root) / info.producer)
