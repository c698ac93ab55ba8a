"""Whose the events of a spool are: may they go to the deployment that we speak to."""

from __future__ import annotations

from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from synapse_stream.errors import LogUnavailable
from synapse_stream.log.address import running_url
from synapse_stream.log.url import server_key
from synapse_stream.remote.bearer import jobs_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from synapse_stream.producer.spool.info import ProducerInfo
    from synapse_stream.settings import Settings


class Mandate(NamedTuple):
    """What whoever adopts may do."""

    is_explicit: bool = False
    """An operator names the server: what no deployment ever accepted may go there."""
    is_everywhere: bool = False
    """Spools of other directories and users are looked at, too, as far as they may be seen."""
    dead_hosts: Collection[str] = ()
    """Hosts of which the operator knows that they do not come back."""
    deployments: Collection[str] = ()
    """Deployments in whose place the operator names this one."""
    only_looks: bool = False
    """No spool is sent or changed; what would be sent comes back without `trouble`."""
    names: Collection[str] = ()
    """Addresses by which the server that is spoken to goes, too, as through an agent."""


def why_not(
    info: ProducerInfo,
    claims: Sequence[str],
    deployment: str,
    settings: Settings,
    mandate: Mandate,
    *,
    is_ours: bool,
) -> str | None:
    """Return why a spool is not to be sent to a deployment; None when it is.

    Args:
        info: the spool's description.
        claims: deployments that accepted something of it.
        deployment: the one that it would be sent to.
        settings: how that is reached.
        mandate: what the operator asked for.
        is_ours: whether it lies in the spool directory of `settings`.
    """
    if not is_served(settings, info.job_id):
        return f"the token is for {jobs_of(settings.token)!r}; `drain` with another one sends it"
    if claims:
        if deployment in claims or set(claims) & set(mandate.deployments):
            return None
        return (
            f"it belongs to another deployment, {claims[-1]} ({info.server}); "
            f"`drain` with that one's settings sends it, or `drain --deployment {claims[-1]}` if "
            "this one took its place"
        )
    if is_ours and (mandate.is_explicit or not info.has_server):
        return None
    if info.has_server and is_for(info, settings, mandate.names):
        return None
    where = f"{info.server}, namespace {info.namespace}" if info.has_server else "no server yet"
    how = "`synapse-stream drain`" if is_ours else f"`drain --spool-dir {info.spool_root}`"
    return f"it was to go to {where}; {how} sends it to the server that is set"


def is_served(settings: Settings, job_id: str) -> bool:
    """Tell whether the token of `settings`, if there is one, may be for a job."""
    if settings.url is None:
        return True
    pattern = jobs_of(settings.token)
    return pattern is None or fnmatchcase(job_id, pattern)


def is_for(info: ProducerInfo, settings: Settings, names: Collection[str] = ()) -> bool:
    """Tell whether a spool names the server and namespace of `settings`; `names` are its others."""
    if info.namespace != settings.namespace:
        return False
    servers = {server_key(settings.server), *map(server_key, names)}
    if settings.redis_url is None:  # the embedded one may have been named by its address
        with suppress(LogUnavailable):
            servers.add(server_key(running_url(settings.data_dir)))
    return server_key(info.server) in servers
