"""Connections of redis-py that touch no descriptor but their own.

Daemons close all descriptors of a process, C libraries some of them twice. The number of a socket
may then be that of a file of the plugin, which must be neither written to nor closed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from redis.exceptions import ConnectionError  # noqa: A004

from synapse_stream.system.descriptors import place_of

if TYPE_CHECKING:
    import socket

    from redis import Redis


def guard(client: Redis) -> Redis:
    """Have every connection that a client will make look before it writes, and before it closes."""
    pool: Any = client.connection_pool
    pool.connection_class = _guarded(pool.connection_class)
    return client


@cache
def _guarded(kind: type[Any]) -> type[Any]:
    return type(f"Guarded{kind.__name__}", (_Guard, kind), {})


class _Guard:
    _sock: socket.socket | None
    _place: tuple[int, int] | None = None

    def _connect(self) -> socket.socket:
        made: socket.socket = super()._connect()  # type: ignore[misc]
        self._place = place_of(made.fileno())
        return made

    def send_packed_command(self, *args: Any, **kwargs: Any) -> Any:
        if self._let_go_of_foreign():
            self.disconnect()
            msg = "somebody in this process closed the descriptor of its socket"
            raise ConnectionError(msg)
        return super().send_packed_command(*args, **kwargs)  # type: ignore[misc]

    def disconnect(self, *args: Any, **kwargs: Any) -> None:
        self._let_go_of_foreign()
        super().disconnect(*args, **kwargs)  # type: ignore[misc]

    def _let_go_of_foreign(self) -> bool:
        sock = self._sock
        if sock is None or place_of(sock.fileno()) == self._place:
            return False
        self._sock = None
        sock.detach()
        return True
