"""The operators' trail: what changes what is recorded or shown is written down before it is done.

Every such act is an event of the reserved job `TRAIL`: who, from where, why, what was before; and
what came of it another one. They go through the ordinary log, so they are chained, archived,
verified and read like the events of any run. Plugins cannot report to that job: its keys are none
that they may write.

    with acting(settings, "retire", reason=reason, before={"projection": name}) as act:
        log.retire(name)
        act.after["retired"] = sorted(log.retired())
"""

from __future__ import annotations

import os
import pwd
import secrets
import shlex
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from synapse_stream.entries.answers import Outcome
from synapse_stream.entries.batch import GENESIS, seal
from synapse_stream.entries.keys import TRAIL
from synapse_stream.errors import LogUnavailable
from synapse_stream.events.encoding import encode
from synapse_stream.log.feeds import FeedLog
from synapse_stream.redaction.body import compiled, redact_body
from synapse_stream.redaction.text import redact_text
from synapse_stream.redaction.urls import mask_url
from synapse_stream.system.identity import host_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from synapse_stream.entries.answers import Ack
    from synapse_stream.entries.batch import Batch
    from synapse_stream.redaction.body import Rules
    from synapse_stream.settings import Settings

_ATTEMPTS = 3
_PAUSE_SECONDS = 0.25
_LONGEST_ORIGIN = 1_000


class Actor(NamedTuple):
    """Who does something, and from where."""

    by: str
    """A user of the host, or the name of a token."""
    host: str
    """Whose process does it."""
    origin: str
    """The command line, secrets masked, or the address that asked."""


def actor_here() -> Actor:
    """Return who runs this process, as the system knows it."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = f"uid {os.geteuid()}"
    words = (mask_url(word) if "://" in word else word for word in sys.argv[1:])
    return Actor(name, host_name(), shlex.join([os.path.basename(sys.argv[0]), *words]))  # noqa: PTH119


class Doing:
    """An act that is being done."""

    def __init__(self) -> None:
        self.after: dict[str, Any] = {}
        """What is there now, for whoever does it to say."""


class Trail:
    """Writes acts down, as one producer a process. May be used from several threads."""

    def __init__(self, log: FeedLog, rules: Rules = ()) -> None:
        """Write to `log`, with secrets masked, also those that `rules` match."""
        self._log = log
        self._rules = rules
        self._lock = threading.Lock()
        self._begin()

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Return the trail of a deployment, which connects when it is written to.

        Raises:
            ConfigError: the server's URL has no form that is known, or another door is set.
        """
        return cls(FeedLog.open(settings), compiled(settings.redact_rules))

    @contextmanager
    def act(
        self,
        name: str,
        actor: Actor | None = None,
        *,
        jobs: Sequence[str] = (),
        reason: str | None = None,
        before: Mapping[str, Any] | None = None,
    ) -> Iterator[Doing]:
        """Write down what is about to be done, and behind it what came of it.

        Args:
            name: what is done, as `token revoke`.
            actor: who does it; without one whoever runs this process.
            jobs: the jobs that it is about.
            reason: why.
            before: what is asked for, and what was there before.

        Raises:
            LogUnavailable: it cannot be written, so it must not be done; or it was done, which the
                message says, and its outcome cannot be written.
        """
        by, host, origin = actor or actor_here()
        number = secrets.token_hex(8)
        who = {"by": by, "host": host, "origin": redact_text(origin)[:_LONGEST_ORIGIN]}
        what = {"act": name, "id": number, **who, "reason": reason}
        self._write("act", {**what, "jobs": list(jobs), "before": dict(before or {})})
        doing = Doing()
        try:
            yield doing
        except BaseException as error:
            failed = {"outcome": "failed", "error": str(error) or type(error).__name__}
            with suppress(LogUnavailable):  # what went wrong first is what must be said
                self._write("outcome", {"id": number, **failed, "after": doing.after})
            raise
        try:
            self._write("outcome", {"id": number, "outcome": "done", "after": doing.after})
        except LogUnavailable as error:
            said = f"{name} is done, but the trail cannot say so: {error.reason}"
            raise LogUnavailable(said, f"its entry {number} stays without an outcome") from error

    def close(self) -> None:
        """Say that this process has no more to say, and disconnect."""
        if self._last >= 0:
            with suppress(LogUnavailable):  # the trail is read all the same
                self._write("end", {"status": None, "count": self._last + 2})
        self._log.close()

    def _begin(self) -> None:
        """Begin as a producer that has said nothing."""
        self._producer = f"trail-{secrets.token_hex(8)}"
        self._last, self._hash = -1, GENESIS

    def _write(self, kind: str, fields: dict[str, Any]) -> None:
        """Append one event, under a new name where the server has lost, or has, what it should not.

        Raises:
            LogUnavailable: the server did not take it.
        """
        with self._lock:
            if not self._append(self._sealed(kind, fields)):
                self._begin()
                if not self._append(self._sealed(kind, fields)):
                    msg = f"the server {self._log.address} does not keep the trail's entries"
                    raise LogUnavailable(msg)

    def _sealed(self, kind: str, fields: dict[str, Any]) -> Batch:
        number, (body,) = self._last + 1, encode(kind, None, fields)
        head = b'{"seq":%d,"time":%d,' % (number, time.time_ns() // 1_000)
        line = head + redact_body(body, self._rules) + b"\n"
        return seal(self._hash, TRAIL, self._producer, number, number, line)

    def _append(self, batch: Batch) -> bool:
        """Append; False if the server has something else of this producer than was said."""
        there = self._answer(batch, _ATTEMPTS)
        is_there = there.outcome is Outcome.APPENDED or there.hash == batch.hash
        if is_there:
            self._last, self._hash = batch.last, batch.hash
        return is_there

    def _answer(self, batch: Batch, attempts: int) -> Ack:
        """Have the server take a batch; sending it again, when no answer came, is safe."""
        try:
            self._log.check()
            return self._log.append(batch)
        except LogUnavailable as error:
            if error.is_refusal or attempts == 1:
                raise
        time.sleep(_PAUSE_SECONDS)
        return self._answer(batch, attempts - 1)


@contextmanager
def acting(
    settings: Settings,
    name: str,
    *,
    jobs: Sequence[str] = (),
    reason: str | None = None,
    before: Mapping[str, Any] | None = None,
) -> Iterator[Doing]:
    """Do something as whoever runs this process: `Trail.act`, for a command.

    Raises:
        LogUnavailable, ConfigError: it cannot be written down, so it must not be done.
    """
    trail = Trail.open(settings)
    try:
        with trail.act(name, jobs=jobs, reason=reason, before=before) as doing:
            yield doing
    finally:
        trail.close()
