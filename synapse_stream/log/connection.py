"""Clients of redis-py, with the settings of every connection in one place.

1. No client-side retry: redis-py 8 retries ten times by default, and so sends an append whose
   reply was lost a second time. Whoever calls the log retries, knowingly.
2. After a failure the connection is given up, and the next command starts from the address again.
   So a promoted primary, moved cluster slots and an embedded server on another port are found
   without a special case. A reply that only refuses a command is none: other threads may be
   waiting for theirs.
3. A blocking read has a socket time-out above its block time; otherwise redis-py takes each quiet
   wait for a dead connection.
4. RESP2: the replies that we use are the same, and servers behind older proxies know no HELLO.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Protocol

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import (
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ResponseError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from synapse_stream.log.descriptors import guard
from synapse_stream.log.failures import FAILURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.log.url import Endpoint

LONGEST_BLOCK_MS = 5_000
"""Longest wait of one blocking read: a half-open connection is noticed soon after."""

# By their very classes: others mean that another server is to be asked, as READONLY does.
_REFUSALS = (ResponseError, NoScriptError, NoPermissionError, OutOfMemoryError)


class Client(Protocol):
    """What the log needs of a client: redis-py's, fakeredis's and `LazyClient` have it."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command and return its parsed reply."""

    def close(self) -> None:
        """Give up the connections."""


class LazyClient:
    """A client that connects at its first command, and anew at the first after a failure."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._lock = threading.Lock()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send one command, once. Raises what `connect` and redis-py raise."""
        with self._lock:
            client = self._client = self._client or self._connect()
        try:
            return client.execute_command(*args, **options)
        except FAILURES as error:
            if not is_refusal(error):
                self._give_up(client)
            raise

    def pipeline(self, *, transaction: bool) -> Any:
        """Return a pipeline of redis-py's; call `close` when it fails, unless it was refused."""
        client: Any  # only redis-py's own clients are made here
        with self._lock:
            client = self._client = self._client or self._connect()
        return client.pipeline(transaction=transaction)

    def close(self) -> None:
        """Disconnect; a later command would connect again."""
        self._give_up(self._client)

    def _give_up(self, client: Client | None) -> None:
        with self._lock:
            if client is None or client is not self._client:
                return
            self._client = None
        client.close()


def bounded(block_ms: int) -> int:
    """Return for how long a blocking read may wait: never for ever, as 0 would mean."""
    return min(max(block_ms, 1), LONGEST_BLOCK_MS)


def is_refusal(error: Exception) -> bool:
    """Tell whether the server only refuses a command: then its connections are as good as before.

    Other threads may be waiting for replies over them.
    """
    return type(error) in _REFUSALS


def connect(endpoint: Endpoint, *, connect_seconds: float, answer_seconds: float) -> Client:
    """Return a client of `endpoint`; only a cluster is asked something at once: its nodes."""
    once = Retry(NoBackoff(), 0)
    common: dict[str, Any] = {"socket_connect_timeout": connect_seconds, "protocol": 2}
    options = {**common, "socket_timeout": answer_seconds, **endpoint.login}
    if endpoint.is_cluster:
        nodes = [ClusterNode(*at) for at in endpoint.nodes]  # type: ignore[no-untyped-call]
        return RedisCluster(startup_nodes=nodes, retry=once, **options)
    options["retry"] = common["retry"] = once
    if endpoint.is_sentinel:
        common |= {"socket_timeout": connect_seconds, **endpoint.sentinel_login}
        make: Any = Sentinel  # untyped in redis-py
        sentinels = make(endpoint.nodes, sentinel_kwargs=common, **options)
        return guard(sentinels.master_for(endpoint.service))
    if endpoint.path:
        return guard(Redis(unix_socket_path=endpoint.path, **options))
    host, port = endpoint.nodes[0]
    return guard(Redis(host=host, port=port, **options))
