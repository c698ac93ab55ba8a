"""What `SYNAPSE_STREAM_ENABLE=1` does when an interpreter starts: it waits for other libraries.

`synapse_stream.pth` imports this module, beside the packages; where that is not installed,
`synapse-stream exec` has it done by `startup/sitecustomize.py`. `SYNAPSE_STREAM_BRIDGES` names
further libraries that report, with commas between.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from synapse_stream.integrations.on_import import on_import
from synapse_stream.integrations.synapse_sdk.installing import install

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

# Name of a bridge → the modules that it waits for, and the one that installs it.
_BRIDGES = {
    "logging": (("logging",), "logging"),
    "mlflow": (("mlflow.tracking.client",), "mlflow"),
    "tensorboard": (("torch.utils.tensorboard.writer", "tensorboardX.writer"), "tensorboard"),
    "tqdm": (("tqdm.std",), "tqdm"),
    "transformers": (("transformers.trainer",), "transformers"),
    "wandb": (("wandb.sdk.wandb_run",), "wandb.tee"),
}


def install_bridges(names: str) -> None:
    """Have the libraries of these names report as soon as they are imported."""
    for name in filter(None, (word.strip() for word in names.split(","))):
        if name not in _BRIDGES:
            _say(name)
            continue
        libraries, bridge = _BRIDGES[name]
        for library in libraries:
            on_import(library, _installing(bridge))


def _installing(bridge: str) -> Callable[[ModuleType], None]:
    def install_it(_library: ModuleType) -> None:
        import_module(f"synapse_stream.integrations.{bridge}").install()

    return install_it


def _say(name: str) -> None:
    from synapse_stream.saying import voice  # noqa: PLC0415 - at the start of every interpreter

    known = ", ".join(sorted(_BRIDGES))
    voice.warn("SYNAPSE_STREAM_BRIDGES=%s is not known; there are %s", name, known)


install()
install_bridges(os.environ.get("SYNAPSE_STREAM_BRIDGES", ""))
