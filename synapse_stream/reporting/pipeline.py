"""Several actions in one run, one after another."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from synapse_stream.errors import RunEnded
from synapse_stream.events import rules
from synapse_stream.loggers.endings import ending
from synapse_stream.models import ActionStatus, RunStatus
from synapse_stream.reporting.context import RuntimeContext
from synapse_stream.reporting.run import open_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synapse_stream.reporting.action import BaseAction


class Pipeline:
    """Actions that run in order, in one run, each with an `ActionStatus` of its own.

    Raises:
        ValueError: there is no action, or two have the same name.
    """

    def __init__(self, actions: Sequence[type[BaseAction[Any]]]) -> None:
        names = [action.action_name for action in actions]
        if not names or len(set(names)) < len(names):
            msg = f"actions={names} is not allowed; expected one or more, of different names"
            raise ValueError(msg)
        self.actions = tuple(actions)

    def run(self, params: Any = None, ctx: RuntimeContext | None = None) -> list[Any]:
        """Run the actions, each with its own view of `params`, and return their results in order.

        All actions are PENDING at the start. One that raises, or that ends with a status other than
        COMPLETED by `end_log`, is FAILED and those behind it are SKIPPED; the run ends as that
        action did, and an exception goes on. `end_log` of an action ends that action only. As with
        `run_action`, the run ends here.

        Raises:
            pydantic.ValidationError: the parameters do not fit an action; nothing was started.
        """
        parsed = [action.parse_params(params) for action in self.actions]
        if ctx is None:
            names = " > ".join(action.action_name for action in self.actions)
            ctx = open_run(action=names, params=params)
        with ctx:
            parts = [_Part(ctx, action.action_name) for action in self.actions]
            for part in parts:
                part.say(ActionStatus.PENDING)
            results = self._run_parts(parts, parsed)
            last = parts[len(results) - 1]
            ctx.end_log(last.status, last.error, results)
        return results

    def _run_parts(self, parts: list[_Part], parsed: list[Any]) -> list[Any]:
        results: list[Any] = []
        waiting = list(parts)
        try:
            for action, params, part in zip(self.actions, parsed, parts, strict=True):
                waiting.remove(part)
                with part:
                    part.say(ActionStatus.RUNNING)
                    results.append(action(params, part).run())
                if part.status is not RunStatus.COMPLETED:
                    break
        finally:
            for part in waiting:
                part.say(ActionStatus.SKIPPED)
        return results


class _Part(RuntimeContext):
    """The context of one action: it reports to the run, and ends only itself."""

    def __init__(self, run: RuntimeContext, action_name: str) -> None:
        super().__init__(
            run.logger,
            env=run.env,
            job_id=run.job_id,
            client=run.client,
            agent_client=run.agent_client,
            checkpoint=run.checkpoint,
        )
        self._action_name = action_name
        self._has_ended = False
        self.status = RunStatus.COMPLETED
        self.error: str | None = None

    def say(self, status: ActionStatus, error: str | None = None) -> None:
        """Record where the action stands, unless it has ended the run through its logger."""
        with suppress(RunEnded):
            self._logger.set_action(self._action_name, status, error)

    def end_log(
        self,
        status: RunStatus | str | None = None,
        error: str | BaseException | None = None,
        result: Any = None,
    ) -> None:
        """Note how the action ended; it is reported when `execute` returns or raises."""
        status = None if status is None else self._logger.known_ending(status)
        if status is None:
            status = RunStatus.COMPLETED if error is None else RunStatus.FAILED
        fields = rules.end(status, error, result)
        if not self._has_ended:
            self._has_ended = True
            self.status, self.error = RunStatus(fields["status"]), fields.get("error")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, where: Any) -> None:
        if error is not None:
            self._has_ended = False
            self.end_log(*ending(error))
        done = self.status is RunStatus.COMPLETED
        self.say(ActionStatus.COMPLETED if done else ActionStatus.FAILED, self.error)
