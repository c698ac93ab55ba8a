"""What a plugin holds while it runs: where it reports, and what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

from synapse_stream.loggers.copies import Copied, packed, unpacked
from synapse_stream.loggers.foreign import adapt
from synapse_stream.models import LogLevel, RunStatus
from synapse_stream.reporting.environment import PluginEnvironment
from synapse_stream.system.signals import is_plugins_own

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from types import TracebackType

T = TypeVar("T")


class RuntimeContext(Copied):
    """The plugin's side of a run.

    As a context manager it ends the run: COMPLETED, or by exception FAILED or CANCELLED (the
    exception goes on). Report calls raise TypeError or ValueError for wrong arguments and RunEnded
    after the end; no other error of reporting reaches the plugin.

    Args:
        logger: a `BaseLogger`, or any object with the logger's methods; methods that it lacks are
            skipped.
        env: environment of the plugin; None: the environment variables of the process.
        job_id: job that is reported to; None: the logger's.
        client: client of the backend, for the plugin's own use.
        agent_client: client of the agent, for the plugin's own use.
        checkpoint: where to start from: `{"category": …, "path": …}`.
        v2_client: second client of the backend, for the plugin's own use.
        language: in which messages of several languages are shown; None: `SYNAPSE_LANGUAGE` of the
            environment, else English.
    """

    def __init__(
        self,
        logger: Any,
        env: PluginEnvironment | Mapping[str, Any] | None = None,
        job_id: str | None = None,
        client: Any = None,
        agent_client: Any = None,
        checkpoint: dict[str, Any] | None = None,
        *,
        v2_client: Any = None,
        language: str | None = None,
    ) -> None:
        self.logger = logger
        self._env = PluginEnvironment.of(env)
        self._job_id = self._logger.job_id if job_id is None else job_id
        self._client = client
        self._agent_client = agent_client
        self._checkpoint = checkpoint
        self._v2_client = v2_client
        self._language = language

    @property
    def logger(self) -> Any:
        """The logger, as it was given."""
        return self._given_logger

    @logger.setter
    def logger(self, logger: Any) -> None:
        self._logger = adapt(logger)
        self._given_logger = logger

    @property
    def env(self) -> PluginEnvironment:
        """Environment variables and configuration."""
        return self._env

    @property
    def job_id(self) -> str | None:
        """Job that is reported to."""
        return self._job_id

    @property
    def client(self) -> Any:
        """Client of the backend, or None."""
        return self._client

    @property
    def v2_client(self) -> Any:
        """Second client of the backend, or None."""
        return self._v2_client

    client_v1, client_v2 = client, v2_client  # as the SDK calls them as well

    @property
    def language(self) -> str | None:
        """In which messages of several languages are shown; None: nobody has said."""
        return self._language or self._env.get("SYNAPSE_LANGUAGE")

    @property
    def agent_client(self) -> Any:
        """Client of the agent, or None."""
        return self._agent_client

    @property
    def checkpoint(self) -> dict[str, Any] | None:
        """Where to start from (keys `category` and `path`), or None."""
        return self._checkpoint

    def log(
        self,
        event: str,
        data: Mapping[str, Any],
        file: str | os.PathLike[str] | None = None,
        level: LogLevel | str = LogLevel.INFO,
        step: str | None = None,
    ) -> None:
        """Record an event of the plugin's own with its data and, maybe, the path of a file.

        Raises:
            TypeError: `data` is no mapping.
            RunEnded: after `end_log`, as from every report.
        """
        self._logger.log(event, data, file, level=level, step=step)

    def set_progress(
        self,
        current: float,
        total: float,
        step: str | None = None,
        *,
        category: str | None = None,
    ) -> None:
        """Report how far a step is; `category` is an older word for the step.

        Raises:
            ValueError: not `total > 0` and `0 <= current <= total`.
        """
        self._logger.set_progress(current, total, category if step is None else step)

    def set_progress_failed(
        self, step: str | None = None, error: str | BaseException | None = None
    ) -> None:
        """Report that a step failed; it keeps its last percentage."""
        self._logger.set_progress_failed(step, error)

    def set_metrics(
        self,
        value: Mapping[str, Any],
        step: str | None = None,
        *,
        x: float | None = None,
        category: str | None = None,
    ) -> None:
        """Record numbers by name; `x` is their place on the horizontal axis (epoch, global step).

        `category` is an older word for the step.

        Raises:
            TypeError: `value` is no mapping of names to numbers; the message names the key.
        """
        self._logger.set_metrics(value, category if step is None else step, x=x)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Record numbers: `log_metric("train", "epoch", 3, loss=0.2)`.

        The category is their step; an epoch (or step, iteration, batch) beside others is their
        place on the horizontal axis, too.
        """
        self._logger.log_metric(category, key, value, **metrics)

    def log_visualization(
        self, category: str, group: str, index: int, image: str, **meta: Any
    ) -> None:
        """Record where an image is, as an event `visualization`."""
        self._logger.log_visualization(category, group, index, image, **meta)

    def log_trials(self, data: dict[str, Any] | None = None, **parts: Any) -> None:
        """Record the table of Tune's trials, whole or by its parts, as an event `trials`."""
        self._logger.log_trials(data, **parts)

    def log_message(
        self,
        message: str | Mapping[str, str],
        context: LogLevel | str = LogLevel.INFO,
        **params: Any,
    ) -> None:
        """Show a message to users: `context`, or `level`, is info, warning, success or danger.

        A mapping holds one template a language (`{"en": "{n} files", "ko": …}`), filled from
        `params`; a message code has templates and a level of its own. Among the params, `step` and
        `language` are the message's, unless a template asks for them.

        Raises:
            ValueError: an unknown context.
        """
        if type(message) is not str and self.language is not None:
            params.setdefault("language", self.language)
        self._logger.log_message(message, context, **params)

    def log_dev_event(self, message: str, data: Any = None) -> None:
        """Record an event for the plugin's developers; users do not see it."""
        self._logger.log_dev_event(message, data)

    def end_log(
        self,
        status: RunStatus | str | None = None,
        error: str | BaseException | None = None,
        result: Any = None,
    ) -> None:
        """End the run; a second call changes nothing. Later reports raise RunEnded.

        A status that is named stands, and an error without one means FAILED. Else, in a `with`
        block of the run or in an action, how that is left decides, and the end waits for it.
        Elsewhere it is COMPLETED, unless an exception is in flight, as in a `finally`.
        """
        self._logger.end_log(status, error, result)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything accepted so far is in the stream, at most `timeout` seconds.

        Returns:
            True when it is there.
        """
        try:
            return self._logger.flush(timeout)
        except BaseException as failure:
            if is_plugins_own(failure):
                raise
            self._logger.complain(failure)
            return False

    def track(
        self, iterable: Iterable[T], total: float | None = None, step: str | None = None
    ) -> Iterator[T]:
        """Yield the items and report progress after each; see `BaseLogger.track`."""
        return self._logger.track(iterable, total, step)

    def plan(self, steps: Mapping[str, float | None] | Iterable[str]) -> None:
        """Announce steps that will come, with their weights: `ctx.plan({"load": 1, "train": 20})`.

        They count in how far the run is before they begin. A list of names gives no weights: then
        steps weigh by the time that they take. In an action they are its steps; outside of actions
        a name may be that of an action.

        Raises:
            TypeError: `steps` is neither a mapping nor a list of names.
        """
        self._logger.plan(steps)

    def step(self, name: str) -> AbstractContextManager[None]:
        """Make `name` the step of every report in the block that names none."""
        return self._logger.step(name)

    def action(self, name: str) -> AbstractContextManager[None]:
        """Record RUNNING, then COMPLETED, or FAILED with the error that leaves the block."""
        return self._logger.action(name)

    def __enter__(self) -> Self:
        self._logger.enter_block()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._logger.leave_block(error)

    def to_copy(self) -> tuple[type[Any], dict[str, Any]]:
        """Return what the copy in another process is made of: its logger is a child's."""
        whose = f"the context of job {self._job_id}"
        parts = {
            "client": self._client,
            "v2_client": self._v2_client,
            "agent_client": self._agent_client,
            "language": self._language,
        }
        return RuntimeContext, {
            "logger": self._logger,
            "job_id": self._job_id,
            "env": packed(self._env.to_dict(), f"the environment of job {self._job_id}"),
            "parts": packed({**parts, "checkpoint": self._checkpoint}, whose),
        }

    def become_copy(self, parts: dict[str, Any]) -> None:
        """Report to the same run, as a child of the original."""
        whose = f"job {parts['job_id']}"
        env = unpacked(parts["env"], whose)
        rest = unpacked(parts["parts"], whose)
        RuntimeContext.__init__(self, parts["logger"], env, parts["job_id"], **rest)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(job_id={self._job_id!r}, logger={self._given_logger!r})"
