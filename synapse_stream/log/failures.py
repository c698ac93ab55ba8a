"""Turn every failure of redis-py into one sentence of ours: what happened, where, what to do."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from redis import exceptions

from synapse_stream.errors import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILURES: tuple[type[Exception], ...] = (
    OSError,
    *(
        kind
        for kind in vars(exceptions).values()  # they have no common base
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
)
"""Everything that a command of redis-py may raise."""

_REFUSALS = (exceptions.ResponseError, exceptions.NoPermissionError)  # perhaps of one key only

_LOGIN = "did not accept the login; give it as in redis://USER:PASSWORD@host"

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
    (exceptions.AuthenticationError, _LOGIN),
    (exceptions.AuthenticationWrongNumberOfArgsError, "knows no user names; give only a password"),
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

_DENIED = re.compile(r"User (\S+) has no permissions to run the '([\w|-]+)' command")
_IN_PIPELINE = re.compile(r"Command # \d+ \(.*?\) of pipeline caused error: ", re.DOTALL)
_WRONG_TYPE = "WRONGTYPE "
_BY_WORDS = {  # replies that redis-py has no class for, by their beginning
    "BUSY ": "is busy with a slow script of another client",
    "MISCONF ": "refuses writes because it cannot save to its disk; free space there, see its log",
    "NOREPLICAS ": "refuses writes because too few replicas follow it",
    "Protocol error: unauthenticated ": _LOGIN,  # before the login it refuses long commands
    _WRONG_TYPE: "has a key of another type in Synapse Stream's place; use another namespace",
}


def translate(
    error: Exception, address: str, doing: str, said: str | None = None
) -> LogUnavailable:
    """Return what to raise for `error`: it names the server, the purpose and, if any, a way out.

    `said` is the text of the error as it may be shown, if that is another one.
    """
    words = (str(error) if said is None else said).partition(" script: ")[0].strip()
    shown = f": {words}" if words else ""
    return LogUnavailable(
        f"the server {address} {_reason(error)}",
        f"while {doing}{shown}",
        is_refusal=type(error) in _REFUSALS,
    )


def is_wrong_type(error: LogUnavailable) -> bool:
    """Tell whether a key is of another type than what was asked of it."""
    return _WRONG_TYPE in str(error.__cause__)  # of a pipeline with words before it


@contextmanager
def suppress_wrong_type() -> Iterator[None]:
    """Go on behind a command whose key is of another type."""
    try:
        yield
    except LogUnavailable as error:
        if not is_wrong_type(error):
            raise


def _reason(error: Exception) -> str:
    words = _IN_PIPELINE.sub("", str(error), 1)
    if (denied := _DENIED.search(words)) is not None:
        user, command = denied.groups()
        return f"does not permit {command!r}; permit it: ACL SETUSER {user} +{command}"
    by_words = (text for words_of, text in _BY_WORDS.items() if words.startswith(words_of))
    by_class = (text for kind, text in _BY_CLASS if isinstance(error, kind))
    return next(by_words, None) or next(by_class, "could not be asked")
