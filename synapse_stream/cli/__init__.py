"""The command `synapse-stream`."""

from __future__ import annotations

import sys

_MISSING = "synapse-stream: {} is not installed; pip install 'synapse-stream[cli]' brings it"


def main() -> None:
    """Run the command with the process's arguments, and exit.

    Exit codes: 0 fine, 1 the answer is no or the server is away, 2 wrong use or a wrong setting,
    3 `verify` could not verify, 130 interrupted.
    """
    try:
        from synapse_stream.cli.app import run_command

        code = run_command()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in {"rich", "typer"}:
            raise
        print(_MISSING.format(package), file=sys.stderr)
        code = 2
    except KeyboardInterrupt:  # while modules were loading
        code = 130
    sys.exit(code)
