"""A Redis Cluster on loopback: three masters, the first of them with a replica."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from tests.support.servers import TestServer, free_port, wait_until

if TYPE_CHECKING:
    from pathlib import Path

_SLOTS = 16_384
_QUICK_MS, _PATIENT_MS = 1_000, 60_000


class TestCluster:
    """Four servers as one cluster; `masters[0]` holds the first third of the slots."""

    __test__ = False

    def __init__(self, home: Path, *, binary: str | None = None) -> None:
        self._bus_ports = [free_port() for _ in range(4)]
        self._nodes = [
            TestServer(home / f"node-{number}", binary=binary, config=_config(bus_port))
            for number, bus_port in enumerate(self._bus_ports)
        ]
        self.masters, self.replica = self._nodes[:3], self._nodes[3]

    @property
    def url(self) -> str:
        """URL that names every node."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self._nodes)

    @property
    def first_slots(self) -> range:
        """Slots of the master that has a replica."""
        return range(_SLOTS // 3)

    def start(self) -> Self:
        """Start and join the nodes; return when the replica follows and all slots are served."""
        for node in self._nodes:
            node.start()
        bounds = [0, _SLOTS // 3, 2 * _SLOTS // 3, _SLOTS]
        for number, master in enumerate(self.masters):
            master.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            master.command("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        first = self._nodes[0]
        for node, bus_port in zip(self._nodes[1:], self._bus_ports[1:], strict=True):
            first.command("CLUSTER", "MEET", "127.0.0.1", node.port, bus_port)
        name = first.command("CLUSTER", "MYID").decode()
        wait_until(lambda: name in str(self.replica.command("CLUSTER", "NODES")))
        wait_until(lambda: all(_knows_four(node) for node in self._nodes))
        self.replica.command("CLUSTER", "REPLICATE", name)
        wait_until(lambda: _info(self.replica).get("master_link_status") == "up")
        wait_until(lambda: all(_is_whole(node) for node in self._nodes))
        self._bury_after(_PATIENT_MS)  # a node that only stalls is not dead
        return self

    def kill(self, node: TestServer) -> None:
        """Send SIGKILL to a node and have the others take it for dead a second later."""
        node.kill()
        self._bury_after(_QUICK_MS, but=node)

    def promote_replica(self) -> None:
        """Let `replica` and `masters[0]` change roles, in agreement; return when all know."""
        pair = [self.masters[0], self.replica]
        if _info(self.replica)["role"] == "master":
            pair.reverse()
        predecessor, successor = pair
        successor.command("CLUSTER", "FAILOVER")
        wait_until(lambda: _info(successor)["role"] == "master")
        wait_until(lambda: _info(predecessor).get("master_link_status") == "up")
        wait_until(lambda: all(_is_whole(node) for node in self._nodes))

    def _bury_after(self, milliseconds: int, *, but: TestServer | None = None) -> None:
        for node in self._nodes:
            if node is not but:
                node.command("CONFIG", "SET", "cluster-node-timeout", milliseconds)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        for node in self._nodes:
            node.kill()


def _config(bus_port: int) -> dict[str, str]:
    return {
        "cluster-enabled": "yes",
        "cluster-port": str(bus_port),
        "cluster-node-timeout": str(_QUICK_MS),
        "cluster-replica-validity-factor": "0",
        "repl-diskless-sync-delay": "0",
    }


def _knows_four(node: TestServer) -> bool:
    return b"cluster_known_nodes:4" in node.command("CLUSTER", "INFO")


def _is_whole(node: TestServer) -> bool:
    return b"cluster_state:ok" in node.command("CLUSTER", "INFO")


def _info(node: TestServer) -> dict[str, Any]:
    found: dict[str, Any] = node.command("INFO", "replication")
    return found
