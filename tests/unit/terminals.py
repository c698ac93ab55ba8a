"""Programs that run on a terminal of the test's own."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress


def on_a_terminal(code: str) -> str:
    """Run `code` with a terminal as its streams and return what it wrote."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
        start_new_session=True,
    )
    os.close(follower)
    try:
        text = b"".join(iter(lambda: read(leader), b"")).decode()
        assert process.wait() == 0, text
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(leader)
    return text


def read(leader: int) -> bytes:
    try:
        return os.read(leader, 65536)
    except OSError:  # the last process at the other end has gone
        return b""


def plain_text(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
