"""What is written for TensorBoard goes into a run: scalars, texts and hyperparameters.

from synapse_stream.integrations.tensorboard import SummaryWriter      # in its place
from synapse_stream.integrations.tensorboard import install            # or beside it
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any, Self

from synapse_stream.integrations.current import Current
from synapse_stream.integrations.left_out import LeftOut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from synapse_stream.reporting.context import RuntimeContext

_HOMES = ("torch.utils.tensorboard.writer", "tensorboardX.writer")
_LEFT_OUT = LeftOut("SummaryWriter", "only scalars, texts and hyperparameters are reported")
_CURRENT = Current()


class SummaryWriter:
    """Has the calls of `torch.utils.tensorboard.SummaryWriter`, and needs neither of them.

    The global step is x. What it does not take is said once.

    Args:
        log_dir: as all that follows but `run`, what the other one takes; nothing is written there.
        run: the run to report to; None: the one that is open, else a new one.
    """

    def __init__(
        self, log_dir: Any = None, *_: Any, run: RuntimeContext | None = None, **__: Any
    ) -> None:
        self.log_dir = log_dir
        self._current = Current(run)

    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, *_: Any, **__: Any
    ) -> None:
        """Report a number."""
        self._current.values({tag: scalar_value}, global_step)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: Any = None,
        *_: Any,
        **__: Any,
    ) -> None:
        """Report several, each as `main_tag/tag`."""
        self._current.values({main_tag: tag_scalar_dict}, global_step)

    def add_text(
        self, tag: str, text_string: str, global_step: Any = None, *_: Any, **__: Any
    ) -> None:
        """Record a text, as a `log` event."""
        step = {} if global_step is None else {"global_step": global_step}
        self._current.tell("log", text_string, {"tag": tag, **step})

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,  # noqa: ARG002 - as there
        run_name: str | None = None,  # noqa: ARG002
        global_step: Any = None,
    ) -> None:
        """Record hyperparameters, and report what was reached with them."""
        self._current.tell("log", "hparams", hparam_dict)
        self._current.values(metric_dict, global_step)

    def get_logdir(self) -> Any:
        """Return what it was made with."""
        return self.log_dir

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def close(self) -> None:
        """Do nothing: the run ends when its process or its block does."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("add_"):
            return _LEFT_OUT.note(name)
        raise AttributeError(name)


def install() -> None:
    """Have every writer of PyTorch and tensorboardX that is loaded report as well."""
    ours = SummaryWriter(run=None)
    ours._current = _CURRENT  # noqa: SLF001 - one run for all writers
    for home in _HOMES:
        writer = getattr(sys.modules.get(home), "SummaryWriter", None)
        if writer is not None and not hasattr(writer.add_scalar, "__wrapped__"):
            for name in ("add_scalar", "add_scalars", "add_text"):
                setattr(writer, name, _beside(getattr(writer, name), getattr(ours, name)))
            writer.add_hparams = _beside(writer.add_hparams, _hparams)


def _beside(theirs: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that reports first, for theirs may wait for a disk."""

    @wraps(theirs)
    def method(writer: Any, *args: Any, **named: Any) -> Any:
        with suppress(TypeError):  # a wrong call, as theirs will say
            ours(*args, **named)
        return theirs(writer, *args, **named)

    return method


def _hparams(hparam_dict: Any, *_: Any, **__: Any) -> None:
    """Record hyperparameters; the metrics come by `add_scalar` of another writer."""
    _CURRENT.tell("log", "hparams", hparam_dict)
