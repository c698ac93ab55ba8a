"""What our own processes log is one JSON object a line."""

from __future__ import annotations

import os
import subprocess
import sys

import orjson
import pytest

SCENES = {
    "a warning": r"logging.getLogger('synapse_stream.consumers').warning('%s\nwaits \x1b[1m', 7)",
    "an odd text": "logging.getLogger().error('half \\ud800 of a pair')",
    "a warning of Python": "import warnings; warnings.warn('old', stacklevel=1)",
    "the last error": "raise LookupError('gone')",
}


def logged(scene: str) -> dict[str, object]:
    code = "import logging\nfrom consumers.logs import write_logs\nwrite_logs('api')\n"
    said = subprocess.run(
        [sys.executable, "-c", code + SCENES[scene]], capture_output=True, check=False
    )
    (line,) = said.stderr.splitlines()
    fields: dict[str, object] = orjson.loads(line)
    return fields


def test_a_record_is_one_line_with_its_time_level_process_and_logger() -> None:
    fields = logged("a warning")

    assert str(fields.pop("time")).endswith("+00:00")
    assert isinstance(fields.pop("pid"), int)
    assert fields == {
        "level": "warning",
        "process": "api",
        "logger": "synapse_stream.consumers",
        "message": "7\nwaits \x1b[1m",
    }


@pytest.mark.parametrize(
    ("scene", "logger", "part"),
    [
        ("an odd text", "root", "half "),
        ("a warning of Python", "py.warnings", "UserWarning: old"),
        ("the last error", "api", "ends by an error"),
    ],
)
def test_whatever_goes_wrong_is_one_line_too(scene: str, logger: str, part: str) -> None:
    fields = logged(scene)

    assert fields["logger"] == logger
    assert part in str(fields["message"])


def test_what_ends_the_process_has_its_traceback() -> None:
    assert str(logged("the last error")["error"]).endswith("LookupError: gone")


def test_a_person_at_a_terminal_reads_plain_text() -> None:
    reader, terminal = os.openpty()
    code = "import logging\nfrom consumers.logs import write_logs\nwrite_logs('api')\n"
    subprocess.run([sys.executable, "-c", code + SCENES["a warning"]], stderr=terminal, check=True)
    os.close(terminal)
    shown = os.read(reader, 4096).decode()
    os.close(reader)

    assert "WARNING api: 7" in shown
    assert "\x1b" not in shown


REPEATED = """
import logging
log = logging.getLogger('consumers.api')
def fail(number, error):
    try:
        raise error
    except Exception:
        log.exception('job %s failed', number)
for number in range(150):
    fail(1, KeyError(number))
fail(2, KeyError())
fail(1, TypeError())
for _ in range(20):
    log.warning('our own words')
    logging.getLogger('uvicorn.error').warning('Invalid HTTP request received.')
"""


def test_an_error_is_told_once_a_kind_and_then_counted() -> None:
    code = f"from consumers.logs import write_logs\nwrite_logs('api')\n{REPEATED}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stderr
    lines = [orjson.loads(line) for line in said.splitlines()]

    assert [(one["message"], "error" in one) for one in lines if "failed" in one["message"]] == [
        ("job 1 failed", True),
        ("job 1 failed, the 10. time", False),
        ("job 1 failed, the 100. time", False),
        ("job 2 failed", True),
        ("job 1 failed", True),
    ]
    assert [one["message"] for one in lines if "Invalid" in one["message"]] == [
        "Invalid HTTP request received.",
        "Invalid HTTP request received., the 10. time",
    ]
    assert sum(one["message"] == "our own words" for one in lines) == 20
