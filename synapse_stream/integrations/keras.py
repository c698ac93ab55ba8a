"""Trainings of Keras report: `model.fit(…, callbacks=[StreamCallback()])`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras.callbacks import Callback

from synapse_stream.integrations.current import Current

if TYPE_CHECKING:
    from synapse_stream.reporting.context import RuntimeContext

_TRAINING, _EVALUATING = "training", "evaluation"


class StreamCallback(Callback):
    """Reports each epoch's values, as `History` has them, with the epoch as x, and the progress.

    The first epoch is 0, as it is there.

    Args:
        run: the run to report to; None: the one that is open, else a new one.
    """

    def __init__(self, run: RuntimeContext | None = None) -> None:
        super().__init__()
        self._current = Current(run)
        self._is_training = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Say what begins."""
        self._is_training = True
        self._current.begin("fit", dict(self.params or {}))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report every value of an epoch, and that it is done."""
        self._current.values(logs or {}, epoch)
        total = max(epoch + 1, (self.params or {}).get("epochs") or 0)
        self._current.tell("set_progress", epoch + 1, total, _TRAINING)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Note that what is evaluated now is no part of a training."""
        self._is_training = False

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Report every value of an evaluation; one inside of a training is part of its epoch."""
        if not self._is_training:
            self._current.values(logs or {}, step=_EVALUATING)
