"""The bridges with the real libraries: `make integrations` runs it, where those are installed."""

from __future__ import annotations

from importlib.util import find_spec

# The suite's own environment has none of them: PyTorch alone is larger than all else.
collect_ignore_glob = [] if find_spec("torch") and find_spec("wandb") else ["test_*.py"]
