"""Turn every failure of redis-py into one sentence of ours: what happened, where, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis import exceptions

from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILURES: tuple[type[Exception], ...] = (
    exceptions.RedisError,
    exceptions.RedisClusterException,
    exceptions.ChildDeadlockedError,
    exceptions.IncorrectPolicyType,
    OSError,
)
"""Everything that a command of redis-py may raise."""

_BY_CLASS: tuple[tuple[type[Exception], str], ...] = (
    (
        exceptions.OutOfMemoryError,
        "is out of memory; raise its maxmemory, or trim what is archived",
    ),
    (
        exceptions.ReadOnlyError,
        "is a read-only replica; name the primary, or use a sentinel or cluster URL",
    ),
    (exceptions.BusyLoadingError, "is still loading its data"),
    (exceptions.NoPermissionError, "does not permit this user what is needed; see its ACL"),
    (exceptions.AuthorizationError, "does not permit this user what is needed; see its ACL"),
    (
        exceptions.AuthenticationError,
        "did not accept the login; user and password are given as in redis://USER:PASSWORD@host",
    ),
    (exceptions.AuthenticationWrongNumberOfArgsError, "knows no user names; give only a password"),
    (exceptions.ExternalAuthProviderError, "could not ask its own directory of users"),
    (exceptions.NoScriptError, "forgets scripts at once"),
    (exceptions.MasterDownError, "is a replica that has lost its primary"),
    (exceptions.ClusterDownError, "is a cluster without a primary for these keys just now"),
    (exceptions.TryAgainError, "is moving these keys to another node"),
    (exceptions.AskError, "is one node of a cluster; use a redis+cluster:// URL"),
    (exceptions.ClusterCrossSlotError, "is a cluster and saw keys of different slots"),
    (exceptions.MaxConnectionsError, "cannot be reached: too many connections are open here"),
    (exceptions.ConnectionError, "cannot be reached"),
    (exceptions.TimeoutError, "did not answer in time"),
    (exceptions.InvalidResponse, "gave an answer that is no Redis protocol"),
    (exceptions.ClusterError, "is a cluster whose nodes disagree where these keys are"),
    (exceptions.RedisClusterException, "is no cluster, or too few of its nodes can be reached"),
    (exceptions.ResponseError, "refused the command"),
    (exceptions.ChildDeadlockedError, "cannot be reached from this forked process"),
    (TimeoutError, "did not answer in time"),
    (OSError, "cannot be reached"),
)

_BY_CODE: Mapping[str, str] = {  # replies that redis-py has no class for
    "BUSY": "is busy with a slow script of another client",
    "MISCONF": "refuses writes because it cannot save to its disk; free space there, see its log",
    "NOREPLICAS": "refuses writes because too few replicas follow it",
    "WRONGTYPE": "has a key of another type in Synapse Stream's place; use another namespace",
}


def translate(error: Exception, address: str, doing: str) -> LogUnavailable:
    """Return what to raise for `error`: it names the server, the purpose and, if any, a way out."""
    words = str(error).partition(" script: ")[0].strip()
    said = f": {words}" if words else ""
    return LogUnavailable(f"the server {address} {_reason(error)} (while {doing}{said})")


def error_code(error: BaseException | None) -> str:
    """Return the first word of an error reply without a class in redis-py, such as WRONGTYPE."""
    return str(error).partition(" ")[0] if isinstance(error, exceptions.ResponseError) else ""


def _reason(error: Exception) -> str:
    by_class = (text for kind, text in _BY_CLASS if isinstance(error, kind))
    return _BY_CODE.get(error_code(error)) or next(by_class, "could not be asked")
