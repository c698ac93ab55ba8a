"""Actions in the hands of the Synapse SDK's drivers, which begin and end the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from synapse_stream.events.codes import CommonLogMessageCode
from synapse_stream.models import LogLevel
from synapse_stream.reporting.context import RuntimeContext

if TYPE_CHECKING:
    from synapse_stream.models import RunStatus

_SDK = "synapse_sdk"


def of_driver(ctx: Any) -> RuntimeContext:
    """Return a context of ours over one of the SDK, and any other as it is."""
    kinds = type(ctx).__mro__
    if not any(kind.__module__.partition(".")[0] == _SDK for kind in kinds):
        return ctx  # type: ignore[no-any-return]
    return DrivenContext(
        ctx.logger,
        ctx.env.to_dict(),
        ctx.job_id,
        ctx.client,
        ctx.agent_client,
        ctx.checkpoint,
        v2_client=ctx.v2_client,
        language=ctx.language,
    )


class DrivenContext(RuntimeContext):
    """The context of an action whose run ends when its driver finishes the logger."""

    def end_log(
        self,
        status: RunStatus | str | None = None,
        error: str | BaseException | None = None,
        result: Any = None,
    ) -> None:
        """Say that the plugin is done, as `end_log` of the SDK does; the run goes on.

        How it ends, the driver tells by what the action returns or raises. What is named here is
        kept as an event.
        """
        if status is not None or error is not None or result is not None:
            told = {"status": status, "error": error, "result": result}
            self.log("end_log", told, level=LogLevel.INFO if error is None else LogLevel.ERROR)
        self.log_message(CommonLogMessageCode.PLUGIN_RUN_COMPLETE)
