"""Open a run, and end it however the process leaves it."""

from __future__ import annotations

import atexit
import logging
import os
import platform
import re
import secrets
import signal
import socket
import sys
import threading
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synapse_stream import __version__
from synapse_stream.context import RuntimeContext
from synapse_stream.environment import PluginEnvironment
from synapse_stream.errors import LogUnavailable
from synapse_stream.loggers.endings import Terminated, ending
from synapse_stream.loggers.many import ManyLogger
from synapse_stream.loggers.stream import StreamLogger
from synapse_stream.models import RunStatus
from synapse_stream.redact import redact
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from synapse_stream.loggers.base import BaseLogger

_LONGEST_JOB_ID = 200
_FORBIDDEN_IN_JOB_ID = re.compile(r"[\s\x00-\x1f\x7f-\x9f{}/\\\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_RANDOM_CHARS = 7
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: nothing that looks like something else

_log = logging.getLogger("synapse_stream")


class OpenRun(RuntimeContext):
    """A run of this process: also Ctrl-C, SIGTERM and the interpreter's exit end it.

    SIGTERM raises `Terminated` in the main thread while a run is open, if nobody else handles the signal. A run
    that nothing has ended by the interpreter's exit ends as the process did.
    """

    def __init__(self, logger: Any, **given: Any) -> None:
        super().__init__(logger, **given)
        self._error_before = _last_error()
        _termination.catch()
        atexit.register(self._end_at_exit)

    def end_log(
        self,
        status: RunStatus | str = RunStatus.COMPLETED,
        error: str | None = None,
        result: Any = None,
    ) -> None:
        """End the run; a second call changes nothing. Later reports raise RunEnded."""
        super().end_log(status, error, result)
        self._release()

    def __exit__(self, *raised: Any) -> None:
        try:
            super().__exit__(*raised)
        finally:
            self._release()

    def _release(self) -> None:
        atexit.unregister(self._end_at_exit)
        _termination.release(self)
