"""Reporting over HTTP: the API dies, what is between loses, cuts and repeats, and tokens end."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from synapse_stream.remote.tokens import Claims, issue, sign
from synapse_stream.settings import Settings
from tests.support.doors import SECRET
from tests.support.faults import Fault, FaultProxy
from tests.support.scenes.api import ApiProcess
from tests.support.scenes.report import Result
from tests.support.scenes.scene import AGAIN, Scene
from tests.support.servers import TestServer, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

    from synapse_stream.log.event_log import EventLog
    from tests.support.scenes.scene import Actor

_APPEND = b"/append"
CUTS = (
    Fault.LOST_REQUEST,
    Fault.TORN_REQUEST,
    Fault.TORN_REPLY,
    Fault.LATE_REQUEST,
    Fault.REPEATED_REQUEST,
)


class Stage:
    """A server, the API in front of it, and a plugin that knows only that, and a token's file."""

    def __init__(self, home: Path, stack: ExitStack, *, hasty: bool) -> None:
        self.server = stack.enter_context(TestServer(home / "server"))
        secret = SecretStr(f"@{home / 'secret'}")
        (home / "secret").write_text(SECRET)
        of_api = Settings(redis_url=self.server.url, data_dir=home / "api")
        self.api = ApiProcess(of_api, home / "api.log")
        self.api.settle("TOKEN_SECRET", secret.get_secret_value())
        stack.enter_context(self.api)
        self.proxy = stack.enter_context(FaultProxy(self.api.port))
        self.token_file = home / "token"
        self.write(issue("plugin", 3600, jobs="job", append=True))
        self.scene = stack.enter_context(
            Scene(
                home / "plugin",
                None,
                url=f"http://127.0.0.1:{self.proxy.port}",
                token=f"@{self.token_file}",
                connect_seconds=0.3 if hasty else 10.0,
            )
        )
        self.log: EventLog = self.scene.open_log(self.server.url)

    def write(self, claims: Claims) -> None:
        """Give the plugin another token."""
        self.token_file.write_text(sign(claims, SECRET))

    def write_for(self, jobs: str) -> None:
        """Give it one for such jobs."""
        self.write(issue("plugin", 3600, jobs=jobs, append=True))

    def enter(self) -> Actor:
        """Start a plugin, and wait until something of it has arrived."""
        actor = self.scene.enter(threads=2, pause=0.002)
        actor.wait_for(20)
        self.wait_for_more()
        return actor

    def wait_for_more(self) -> None:
        """Wait until another entry has arrived."""
        before = self._entries()
        wait_until(lambda: self._entries() > before)

    def finish(self, result: Result, actor: Actor) -> Result:
        """Have the plugin end, and look at what is there."""
        actor.stop()
        result.tally = self.scene.audit(self.server.url)
        return result

    def _entries(self) -> int:
        found = self.log.stream_info(self.log.keys.job("job")) or {}
        return int(found.get(b"entries-added", 0))


@contextmanager
def _stage(home: Path, *, hasty: bool = False) -> Iterator[Stage]:
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield Stage(home, stack, hasty=hasty)


def kill_the_api(home: Path, count: int, random: Random) -> Result:
    """SIGKILL, a moment of absence, and a start on the same port."""
    result = Result("API killed and restarted", count)
    with _stage(home) as stage:
        actor = stage.enter()
        for _ in range(count):
            time.sleep(random.uniform(0, 0.15))
            result.happened += stage.api.kill()
            time.sleep(random.uniform(0, 0.1))
            stage.api.start()
            stage.wait_for_more()
        return stage.finish(result, actor)


def lose_http_replies(home: Path, count: int, random: Random) -> Result:
    """What was appended is not heard of, up to three times in a row."""
    return _struck("HTTP reply lost", home, count, random, (Fault.LOST_REPLY,))


def strike_http_requests(home: Path, count: int, random: Random) -> Result:
    """A proxy loses, tears, delays and repeats requests, and tears replies."""
    return _struck("HTTP cut, delayed, repeated", home, count, random, CUTS)


def _struck(name: str, home: Path, count: int, random: Random, faults: tuple[Fault, ...]) -> Result:
    with _stage(home, hasty=True) as stage:
        return strike(stage, Result(name, count), random, faults)


def strike(stage: Stage, result: Result, random: Random, faults: tuple[Fault, ...]) -> Result:
    """Have the proxy of a stage strike appends as often as the result plans."""
    actor = stage.enter()
    planned = turn = 0
    while planned < result.planned:
        times = min(random.randint(1, 3), result.planned - planned)
        stage.proxy.plan(faults[turn % len(faults)], times=times, word=_APPEND)
        planned, turn = planned + times, turn + 1
        wait_until(lambda: stage.proxy.happened.total() >= planned)  # noqa: B023 - at once
        stage.wait_for_more()
    stage.finish(result, actor)
    result.happened = stage.proxy.happened.total()
    result.notes.append(", ".join(f"{n} {f}" for f, n in stage.proxy.happened.items()))
    return result


def end_tokens(home: Path, count: int, random: Random) -> Result:
    """In turn a token expires, or is revoked; the next one comes a moment later."""
    with _stage(home) as stage:
        return end_in_turn(stage, Result("token expired or revoked", count), random)


def end_in_turn(stage: Stage, result: Result, random: Random) -> Result:
    """End the token of a stage as often as the result plans."""
    current = issue("plugin", 3600, jobs="job", append=True)
    stage.write(current)
    actor = stage.enter()
    keys = stage.log.keys
    for number in range(result.planned):
        said, again = actor.said("events wait in"), actor.said(AGAIN)
        if number % 2:
            over = current.model_copy(update={"expires": int(time.time()) - 1})
            stage.write(over)
        stage.server.command("HSET", keys.revoked, current.id, 1)
        actor.wait_until_said("events wait in", said + 1)
        time.sleep(random.uniform(0, 0.05))
        current = issue("plugin", 3600, jobs="job", append=True)
        stage.write(current)
        actor.wait_until_said(AGAIN, again + 1)
        result.happened += 1
    return stage.finish(result, actor)
