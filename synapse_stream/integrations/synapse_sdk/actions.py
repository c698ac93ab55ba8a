"""Actions of the SDK, run as actions of ours: by the command, `run_action` and `Pipeline`."""

from __future__ import annotations

import sys
from inspect import isclass
from typing import Any, ClassVar

from synapse_stream.integrations.synapse_sdk.place import action_name
from synapse_stream.reporting.action import BaseAction


def is_sdk_action(candidate: Any) -> bool:
    """Tell whether it is a class of the SDK's actions; if the SDK is not loaded, nothing is."""
    home = sys.modules.get("synapse_sdk.plugins.action")
    return home is not None and isclass(candidate) and issubclass(candidate, home.BaseAction)


def as_action(action: type[Any]) -> type[BaseAction[Any]]:
    """Return an action of ours that dispatches an action of the SDK.

    It has a context of the SDK with the clients that the SDK's executors make, and reports to the
    run of ours, which ends with the action and keeps its result.
    """
    names = {"of": action, "action_name": action_name(action), "__module__": action.__module__}
    return type(action.__name__, (_Dispatched,), names)


class _Dispatched(BaseAction[Any]):
    of: ClassVar[type[Any]]

    @classmethod
    def parse_params(cls, params: Any) -> Any:
        """Return `params` as they are, once the SDK's model has found them to be good."""
        given = {} if params is None else params
        model = getattr(cls.of, "params_model", None)
        if model is not None:
            model.model_validate(given, context={"client": _clients().client})
        return given

    def execute(self) -> Any:
        """Dispatch it as the SDK's local executor does."""
        from synapse_sdk.plugins.action import validate_result  # noqa: PLC0415 - as the next ones
        from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext  # noqa: PLC0415

        from synapse_stream.integrations.synapse_sdk.loggers import StreamLogger  # noqa: PLC0415

        clients = _clients()
        logger = StreamLogger(run=self.ctx)
        ctx = RuntimeContext(
            logger=logger,
            env=PluginEnvironment(self.ctx.env.to_dict()),
            job_id=self.ctx.job_id,
            client=self.ctx.client or clients.client,
            v2_client=clients.v2_client,
            agent_client=self.ctx.agent_client,
            checkpoint=self.ctx.checkpoint,
        )
        return validate_result(self.of.dispatch(self.params, ctx), self.of.result_model, logger)


def _clients() -> Any:
    from synapse_sdk.utils.auth import build_runtime_clients  # noqa: PLC0415 - loads the SDK's clients

    return build_runtime_clients()
