"""Our own package `consumers`, whatever else bears its name on the path.

It is a common word: a `consumers.py` in the current directory or on PYTHONPATH would be found
first. Both packages are installed into one folder, so this one tells where the other is.
"""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from synapse_stream.errors import ConfigError

_ROOT = Path(__file__).absolute().parents[2]
_NAMES = ("consumers", "synapse_stream")
# Said to an interpreter of its own, before anything is imported.
_START = """
import runpy, sys
from importlib.machinery import PathFinder
root, names = sys.argv[1], sys.argv[2].split(",")
class Own:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [root]) if name in names else None
sys.meta_path.insert(0, Own)
del sys.argv[:3]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def program(module: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules as a program, in an interpreter of its own.

    As `python -m module`, but for what the current directory and PYTHONPATH hold under its name.
    """
    return [sys.executable, "-P", "-c", _START, str(_ROOT), ",".join(_NAMES), module, *arguments]


def has_consumers() -> bool:
    """Tell whether our package is installed."""
    return (_ROOT / "consumers" / "__init__.py").is_file()


def find_consumers() -> None:
    """See that `import consumers` gives our package; where it is not installed, do nothing.

    Raises:
        ConfigError: a module of that name was imported before; the message tells where it is.
    """
    home = _ROOT / "consumers"
    there = sys.modules.get("consumers")
    if there is not None:
        place = getattr(there, "__file__", None) or next(iter(getattr(there, "__path__", [])), "?")
        if Path(place).absolute().is_relative_to(home):
            return
        msg = (
            f"the module consumers of {place} stands in the way of Synapse Stream's own, which "
            "reads the views; give it another name, or read in another process"
        )
        raise ConfigError(msg)
    spec = spec_from_file_location(
        "consumers", home / "__init__.py", submodule_search_locations=[str(home)]
    )
    if spec is None or spec.loader is None or not has_consumers():
        return
    module = sys.modules["consumers"] = module_from_spec(spec)
    spec.loader.exec_module(module)
