"""Reporting through a host's agent, and as a stream: what is between dies, cuts, and tokens end."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, Self

import httpx

from synapse_stream import JobStream
from synapse_stream.errors import LogUnavailable
from synapse_stream.settings import PREFIX
from tests.resilience.doors import CUTS, Stage, end_in_turn, strike
from tests.resilience.places.worlds import NO_WORLDS, World, is_possible
from tests.support.doors import token
from tests.support.faults import Fault
from tests.support.scenes.audit import Audit
from tests.support.scenes.plugin import Role
from tests.support.scenes.report import Result
from tests.support.scenes.scene import Scene
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from tests.support.scenes.api import ApiProcess

_ROOT = Path(__file__).parents[2]
_REQUESTS_AT_LEAST = 20


class AgentProcess:
    """`synapse-stream agent`, at the same socket after each start."""

    def __init__(self, home: Path, environ: dict[str, str]) -> None:
        self.path = home / "agent.sock"
        self._log = home / "agent.log"
        self._environ = {**os.environ, **environ, f"{PREFIX}DATA_DIR": str(home)}
        self._port = free_port()

    def start(self) -> Self:
        """Start it, and wait until it takes connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "synapse_stream.cli", "agent"),
                    *("--socket", str(self.path), "--port", str(self._port)),
                ],
                env=self._environ, cwd=_ROOT, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        wait_until(self._listens)
        return self

    def kill(self) -> bool:
        """Send SIGKILL; return False when it had ended before."""
        is_alive = self._process.poll() is None
        self._process.kill()
        self._process.wait()
        return is_alive

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def _listens(self) -> bool:
        assert self._process.poll() is None, f"the agent ended: {self._log.read_text()}"
        with socket.socket(socket.AF_UNIX) as probe:
            return not probe.connect_ex(str(self.path))


class Behind(Stage):
    """A stage whose plugins have no token and know only the agent, which knows the proxy."""

    def __init__(self, home: Path, stack: ExitStack, *, hasty: bool) -> None:
        super().__init__(home, stack, hasty=hasty)
        self.host = Path(stack.enter_context(TemporaryDirectory(prefix="host-")))
        self.spools = {"spool_dir": self.host / "spool", "memory_dir": self.host / "memory"}
        self.spools["memory_dir"].mkdir()
        given = {
            "URL": f"http://127.0.0.1:{self.proxy.port}",
            "TOKEN": f"@{self.token_file}",
            "CONNECT_SECONDS": "0.3" if hasty else "10",
            **{name.upper(): str(path) for name, path in self.spools.items()},
        }
        environ = {PREFIX + name: text for name, text in given.items()}
        self.agent = stack.enter_context(AgentProcess(self.host, environ))
        self.scene = stack.enter_context(self.plugins(home / "behind"))

    def plugins(self, home: Path) -> Scene:
        """Return a scene of plugins of this host."""
        address = f"http+unix://{self.agent.path}"
        return Scene(home, None, url=address, connect_seconds=10.0, **self.spools)


@contextmanager
def _behind(home: Path, *, hasty: bool = False) -> Iterator[Behind]:
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Behind(home, stack, hasty=hasty)


def kill_the_agent(home: Path, count: int, random: Random) -> Result:
    """SIGKILL, a moment of absence, and a start at the same socket."""
    result = Result("agent killed and restarted", count)
    return _kill(result, home, random, lambda stage: stage.agent)


def kill_the_api_behind_the_agent(home: Path, count: int, random: Random) -> Result:
    """The API is killed while the agent sends to it."""
    result = Result("API killed behind the agent", count)
    return _kill(result, home, random, lambda stage: stage.api)


def _kill(
    result: Result,
    home: Path,
    random: Random,
    victim: Callable[[Behind], AgentProcess | ApiProcess],
) -> Result:
    with _behind(home) as stage:
        actor = stage.enter()
        for _ in range(result.planned):
            time.sleep(random.uniform(0, 0.15))
            result.happened += victim(stage).kill()
            victim(stage).start()
            stage.wait_for_more()
        return stage.finish(result, actor)


def strike_the_agents_requests(home: Path, count: int, random: Random) -> Result:
    """A proxy loses replies, loses, tears, delays and repeats what the agent sends."""
    result = Result("agent's requests cut, replayed", count)
    with _behind(home, hasty=True) as stage:
        return strike(stage, result, random, (Fault.LOST_REPLY, *CUTS))


def end_the_agents_tokens(home: Path, count: int, random: Random) -> Result:
    """In turn the agent's token expires, or is revoked; the next one comes a moment later."""
    result = Result("agent's token ended", count)
    with _behind(home) as stage:
        return end_in_turn(stage, result, random)


def tear_containers_down(home: Path, count: int, random: Random) -> Result:
    """Containers are killed whole, with all their memory; their spools are the host's."""
    result = Result("containers torn down", count)
    if not is_possible():
        result.skipped = NO_WORLDS
        return result
    with _behind(home) as stage:
        stage.write_for("*")
        settings = stage.scene.settings.model_copy(
            update={"redis_url": stage.server.url, "url": None}
        )
        for number in range(count):
            place = home / f"seen-{number}"
            with stage.plugins(place) as scene, World.container(place, f"c{number}") as world:
                role = Role(job=f"job-{number}", home=str(place), pause=0.002)
                actor = scene.enter_as(role, within=world.within)
                actor.wait_for(random.randint(1, 100))
                if number % 3 == 0:
                    result.require(stage.agent.kill(), "the agent had ended")
                world.kill()
                actor.process.wait()
                if number % 3 == 0:
                    stage.agent.start()
                wait_until(lambda: _is_told_lost(settings, role.job))  # noqa: B023 - at once
                result.happened += 1
                plugins = [(actor.role, actor.witness)]
                result.tally.add(Audit(stage.log, role.job, plugins).run())
    return result


def _is_told_lost(settings: object, job_id: str) -> bool:
    with suppress(LogUnavailable):
        found = [one.event.type for one in JobStream(job_id, settings).read()]  # type: ignore[arg-type]
        return found[-1:] == ["producer_lost"]
    return False


def strike_stream_requests(home: Path, count: int, random: Random) -> Result:
    """A writer of the Durable Streams protocol sends again whatever was not answered."""
    result = Result("stream's requests cut, replayed", count)
    faults = (Fault.LOST_REPLY, *CUTS)
    with ExitStack() as stack:
        home.mkdir(parents=True, exist_ok=True)
        stage = Stage(home, stack, hasty=True)
        writer = _Writer(stage.proxy.port)
        writer.start()
        planned = turn = 0
        while planned < count:
            times = min(random.randint(1, 3), count - planned)
            stage.proxy.plan(faults[turn % len(faults)], times=times, word=b"POST /v1/stream")
            planned, turn = planned + times, turn + 1
            wait_until(lambda: stage.proxy.happened.total() >= planned)  # noqa: B023 - at once
            if turn % 5 == 0:
                stage.api.kill()
                stage.api.start()
        taken = writer.finish()
        url = f"http://127.0.0.1:{stage.api.port}/v1/stream/job"
        held = _values(url)
        result.happened = stage.proxy.happened.total()
        result.notes.append(", ".join(f"{n} {f}" for f, n in stage.proxy.happened.items()))
    result.tally.events = taken
    found = {
        "lost": len(set(range(taken)) - set(held)),
        "twice": len(held) - len(set(held)),
        "disordered": sum(later < sooner for sooner, later in pairwise(held)),
    }
    for what, number in found.items():
        if number:
            result.tally.blame(what, f"{number} of {taken} values of the stream", number)
    return result


class _Writer(Thread):
    """Appends numbers, each until it is answered."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._url = f"http://127.0.0.1:{port}/v1/stream/job"
        self._headers = {"Authorization": f"Bearer {token(append=True)}"}
        self._is_ending = False
        self._count = 0

    def run(self) -> None:
        """Write until `finish`."""
        with httpx.Client(timeout=2.0, headers=self._headers) as client:
            self._until_answered(client, "PUT", b"", {})
            while not self._is_ending or self._count < _REQUESTS_AT_LEAST:
                numbers = {"Producer-Id": "w", "Producer-Epoch": "0"}
                numbers["Producer-Seq"] = str(self._count)
                self._until_answered(client, "POST", b"[%d]" % self._count, numbers)
                self._count += 1

    def finish(self) -> int:
        """Return how many were answered, when the last one was."""
        self._is_ending = True
        self.join(60)
        assert not self.is_alive()
        return self._count

    def _until_answered(
        self, client: httpx.Client, method: str, body: bytes, more: dict[str, str]
    ) -> None:
        headers = {"Content-Type": "application/json", **more}
        while True:
            with suppress(httpx.HTTPError):
                answer = client.request(method, self._url, content=body, headers=headers)
                if answer.is_success:
                    return
                assert answer.status_code >= 500, answer.text
            time.sleep(0.02)


def _values(url: str) -> list[int]:
    found: list[int] = []
    headers = {"Authorization": f"Bearer {token(role='developer')}"}
    with httpx.Client(headers=headers, timeout=30) as client:
        after = "-1"
        while True:
            answer = client.get(url, params={"offset": after})
            found += answer.json()
            after = answer.headers["Stream-Next-Offset"]
            if "Stream-Up-To-Date" in answer.headers:
                return found
