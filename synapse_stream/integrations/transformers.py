"""Trainings of Transformers report: `Trainer(callbacks=[StreamCallback()])`, or by `report_to`.

Importing this module makes `report_to="synapse_stream"` possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback
from transformers.integrations import integration_utils

from synapse_stream.integrations.current import Current

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext

NAME = "synapse_stream"
_STEP = "training"


class StreamCallback(TrainerCallback):
    """Reports what a `Trainer` logs, with its global step as x, its progress and its checkpoints.

    Only the process that Transformers has log reports. A run that is opened here has the arguments
    of the training as its parameters.

    Args:
        run: the run to report to; None: the one that is open, else a new one.
    """

    def __init__(self, run: RuntimeContext | None = None) -> None:
        self._current = Current(run)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Say what begins."""
        if state.is_world_process_zero:
            self._current.begin("train", args.to_sanitized_dict())

    def on_log(
        self,
        args: Any,  # noqa: ARG002 - as the library calls it
        state: Any,
        control: Any,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Report every value."""
        if state.is_world_process_zero and logs:
            self._current.values(logs, state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Report how far it is."""
        if state.is_world_process_zero and state.max_steps > 0:
            total = max(state.max_steps, state.global_step)
            self._current.tell("set_progress", state.global_step, total, _STEP)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        """Report where a checkpoint is."""
        if state.is_world_process_zero:
            file = f"{args.output_dir}/checkpoint-{state.global_step}"
            self._current.tell("log", "checkpoint", {"step": state.global_step}, file)


def install() -> None:
    """Have every `Trainer` report from now on."""
    from transformers import trainer  # noqa: PLC0415 - loads PyTorch

    if StreamCallback not in trainer.DEFAULT_CALLBACKS:
        trainer.DEFAULT_CALLBACKS.append(StreamCallback)


integration_utils.INTEGRATION_TO_CALLBACK[NAME] = StreamCallback
