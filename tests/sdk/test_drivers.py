"""The SDK's unmodified drivers, in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream import JobStream
from tests.sdk.backend import backend

if TYPE_CHECKING:
    from synapse_stream import Settings
    from synapse_stream.events.types import Event

ROOT = Path(__file__).parents[2]
DRIVER = (sys.executable, "-m", "synapse_sdk.plugins.entrypoint")
EXEC = (sys.executable, "-m", "synapse_stream.cli", "exec", "--")
LOCAL = (
    "import sys, tests.sdk.plugin as plugin\n"
    "from synapse_sdk.plugins.executors.local import LocalExecutor\n"
    "executor = LocalExecutor(job_id=sys.argv[1] or None)\n"
    "executor.execute(getattr(plugin, sys.argv[2]), {})\n"
)


def run(settings: Settings, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may report; the machine's own credentials are out of its sight."""
    ours = {
        "SYNAPSE_STREAM_REDIS_URL": str(settings.redis_url),
        "SYNAPSE_STREAM_NAMESPACE": settings.namespace,
        "SYNAPSE_STREAM_DATA_DIR": str(settings.data_dir),
        "SYNAPSE_STREAM_MEMORY_DIR": str(settings.memory_dir),
        "HOME": str(settings.data_dir),
        "PYTHONPATH": str(ROOT),
    }
    inherited = {name: text for name, text in os.environ.items() if "SYNAPSE" not in name}
    return subprocess.run(
        command,
        env=inherited | ours | environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def action(name: str = "TrainAction", **params: Any) -> dict[str, str]:
    return {
        "SYNAPSE_ACTION_ENTRYPOINT": f"tests.sdk.plugin.{name}",
        "SYNAPSE_ACTION_PARAMS": json.dumps(params),
    }


def events(settings: Settings, job_id: str) -> list[Event]:
    return [recorded.event for recorded in JobStream(job_id, settings=settings).read()]


def told(found: list[Event]) -> list[tuple[Any, ...]]:
    """Return type and step of each event."""
    return [(event.type, event.step) for event in found]


def received(requests: list[tuple[str, str, Any]]) -> dict[str, Any]:
    """Return what a backend has in the end, however the SDK's clock cut it into requests."""
    updates = [body for method, _, body in requests if method == "PATCH"]
    logs = [body for method, path, body in requests if (method, path) == ("POST", "/logs/")]
    return {
        "status": [update["status"] for update in updates if "status" in update],
        "logs": [entry for body in logs for entry in (body if isinstance(body, list) else [body])],
        **{name: part for update in updates for name, part in update.items() if name != "status"},
    }


A_TRAINING = [
    ("run_started", None),
    ("message", None),
    *[("progress", "train"), ("metrics", "train"), ("dev_event", "train"), ("log", None)] * 3,
    ("message", None),
    ("end", None),
]


@pytest.mark.parametrize("start", [(), EXEC], ids=["by .pth", "by exec"])
def test_the_driver_reports_to_both_and_the_backend_sees_no_difference(
    settings: Settings, start: tuple[str, ...]
) -> None:
    enabled = {} if start else {"SYNAPSE_STREAM_ENABLE": "1"}
    seen = []
    for environ, command in (({}, DRIVER), (enabled, (*start, *DRIVER))):
        with backend() as (url, requests):
            synapse = {"SYNAPSE_HOST": url, "SYNAPSE_ACCESS_TOKEN": "t", "SYNAPSE_JOB_ID": "job-42"}
            done = run(settings, *command, **synapse, **environ, **action())
        assert done.returncode == 0, done.stderr
        seen.append(received(requests))
        if command is DRIVER and not environ:
            assert events(settings, "job-42") == []

    assert seen[0] == seen[1]
    found: list[Any] = events(settings, "job-42")
    assert told(found) == A_TRAINING
    assert (found[0].action, found[0].params) == ("TrainAction", {"epochs": 3, "end": "return"})
    assert found[1].params == {"n": 3}
    assert [(event.current, event.total) for event in found if event.type == "progress"] == [
        (1, 3), (2, 3), (3, 3),
    ]  # fmt: skip
    assert [event.values["loss"] for event in found if event.type == "metrics"] == [1, 1 / 2, 1 / 3]
    assert found[-1].status == "completed"
    assert "tests/sdk/plugin.py" in next(e for e in found if e.type == "dev_event").data["place"]


@pytest.mark.parametrize(
    ("end", "status", "says", "code"),
    [
        ("raise", "failed", "ValueError: broken", 1),
        ("exit", "failed", "exited with status 3", 3),
        ("terminate", "cancelled", "SIGTERM", 143),
    ],
)
def test_a_run_ends_as_the_driver_does(
    settings: Settings, end: str, status: str, says: str, code: int
) -> None:
    done = run(
        settings, *DRIVER, SYNAPSE_STREAM_ENABLE="1", SYNAPSE_JOB_ID="job-42", **action(end=end)
    )

    last: Any = events(settings, "job-42")[-1]
    assert (last.type, last.status) == ("end", status)
    assert says in last.error
    assert done.returncode == code


def test_parameters_that_do_not_fit_fail_the_run(settings: Settings) -> None:
    run(settings, *DRIVER, SYNAPSE_STREAM_ENABLE="1", SYNAPSE_JOB_ID="job-42", **action(epochs="x"))

    first, last = events(settings, "job-42")
    assert (first.type, last.type) == ("run_started", "end")
    assert "epochs" in getattr(last, "error", "")


@pytest.mark.parametrize(
    ("environ", "job_id"),
    [
        ({"SYNAPSE_STREAM_JOB_ID": "a", "SYNAPSE_JOB_ID": "b", "RAY_JOB_ID": "c"}, "a"),
        ({"SYNAPSE_JOB_ID": "b", "RAY_JOB_ID": "c"}, "b"),
        ({"RAY_JOB_ID": "c"}, "c"),
    ],
)
def test_the_job_is_that_of_the_environment(
    settings: Settings, environ: dict[str, str], job_id: str
) -> None:
    run(settings, *DRIVER, SYNAPSE_STREAM_ENABLE="1", **environ, **action())

    assert told(events(settings, job_id)) == A_TRAINING


def test_an_executor_names_the_job_to_a_logger_that_knows_none(settings: Settings) -> None:
    local = (sys.executable, "-c", LOCAL, "local-7", "TrainAction")
    done = run(settings, *local, SYNAPSE_STREAM_ENABLE="1", RAY_JOB_ID="01000000")

    assert told(events(settings, "local-7")) == A_TRAINING, done.stderr


def test_further_loggers_of_a_process_share_its_run_which_the_first_one_ends(
    settings: Settings,
) -> None:
    run(
        settings,
        *DRIVER,
        SYNAPSE_STREAM_ENABLE="1",
        SYNAPSE_JOB_ID="job-42",
        **action("NestedAction"),
    )

    found: list[Any] = events(settings, "job-42")
    assert [event.type for event in found] == [
        "run_started",
        "message",
        "message",
        "message",
        "end",
    ]
    assert [event.content for event in found[1:4]] == [
        "from a forgotten one", "from a finished one", "from the driver's",
    ]  # fmt: skip


def test_an_action_whose_imports_name_us_runs_by_the_driver_which_ends_the_run(
    settings: Settings,
) -> None:
    folder = settings.data_dir / "swapped"
    folder.mkdir()
    text = Path(__file__).with_name("plugin.py").read_text()
    (folder / "swapped.py").write_text(
        text.replace("synapse_sdk.plugins", "synapse_stream.plugins")
    )
    entry = {**action(), "SYNAPSE_ACTION_ENTRYPOINT": "swapped.TrainAction"}
    enabled = {"SYNAPSE_STREAM_ENABLE": "1", "SYNAPSE_JOB_ID": "job-42"}
    done = run(settings, *DRIVER, **enabled, **entry, PYTHONPATH=f"{folder}:{ROOT}")

    assert done.returncode == 0, done.stderr
    found: list[Any] = events(settings, "job-42")
    assert [event.type for event in found if event.type != "dev_event"] == [
        kind for kind, _ in A_TRAINING if kind != "dev_event"
    ]
    assert found[0].action == "TrainAction"


def test_the_command_runs_an_action_of_the_sdk_and_keeps_its_result(settings: Settings) -> None:
    done = run(
        settings,
        *(sys.executable, "-m", "synapse_stream.cli", "run", "tests.sdk.plugin:TrainAction"),
        *("--job-id", "job-42", "--params", '{"epochs": 3}'),
    )

    assert done.returncode == 0, done.stderr
    found: list[Any] = events(settings, "job-42")
    assert told(found) == A_TRAINING
    assert found[-1].result == {"epochs": 3}


def test_a_setting_that_is_wrong_stops_no_plugin(settings: Settings) -> None:
    done = run(
        settings, *DRIVER, SYNAPSE_STREAM_ENABLE="1", SYNAPSE_STREAM_PARTITIONS="many", **action()
    )

    assert done.returncode == 0
    assert done.stderr.count("SYNAPSE_STREAM_PARTITIONS='many' is not allowed") == 1
