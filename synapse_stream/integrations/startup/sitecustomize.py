"""Runs at the start of every Python below `synapse-stream exec`, in front of the plugin's own one.

It is found by the folder on PYTHONPATH, and looks for the module of this name that would have been
found without.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_HERE = str(Path(__file__).parent)


def _run_the_next() -> None:
    others = [place for place in sys.path if place != _HERE]
    spec = PathFinder.find_spec(__name__, others)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules[__name__] = module
        spec.loader.exec_module(module)


try:
    import synapse_stream.integrations.enable  # noqa: F401 - it does something
except ImportError as failure:
    sys.stderr.write(f"synapse-stream: {sys.executable} does not report: {failure}\n")
_run_the_next()
