"""How a Python is told to report without a change of code, and that nothing happens unasked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from synapse_stream import integrations

STARTUP = Path(integrations.__file__).parent / "startup"
ROOT = STARTUP.parents[2]
PTH = STARTUP / "synapse_stream.pth"
EXEC = (sys.executable, "-m", "synapse_stream.cli", "exec", "--")
LOADED = """
import site, sys
before = set(sys.modules)
site.addsitedir(sys.argv[1])
print(*sorted(set(sys.modules) - before))
"""
# As a library that others report with: its loggers, and what imports one of them by name.
LIBRARY = {
    "__init__.py": "",
    "loggers.py": "class JobLogger: pass\nclass ConsoleLogger: pass\n",
    "drivers.py": "from synapse_sdk.loggers import JobLogger\n",
}


def python(
    *words: str, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    inherited = {name: text for name, text in os.environ.items() if "SYNAPSE" not in name}
    return subprocess.run(
        words, env=inherited | environ, cwd=cwd, capture_output=True, text=True, check=False
    )


def loaded_by_pth(folder: Path, **environ: str) -> list[str]:
    (folder / "synapse_stream.pth").write_text(PTH.read_text())
    done = python(sys.executable, "-S", "-c", LOADED, str(folder), cwd=ROOT, **environ)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("value", ["", "0", "true"])
def test_the_pth_imports_nothing_unless_it_is_enabled(tmp_path: Path, value: str) -> None:
    assert loaded_by_pth(tmp_path) == []
    assert loaded_by_pth(tmp_path, SYNAPSE_STREAM_ENABLE=value) == []


def test_enabled_it_waits_for_libraries_and_imports_none(tmp_path: Path) -> None:
    loaded = loaded_by_pth(tmp_path, SYNAPSE_STREAM_ENABLE="1")

    assert "synapse_stream.integrations.enable" in loaded
    ours = "synapse_stream", "synapse_stream.integrations"
    heavy = {
        name for name in loaded if name.partition(".")[0] in {"synapse_sdk", "redis", "pydantic"}
    }
    assert heavy == set()
    assert not [
        name for name in loaded if name.startswith("synapse_stream.") and not name.startswith(ours)
    ]


def test_the_pth_is_one_line_of_what_every_start_has_loaded() -> None:
    (line,) = PTH.read_text().splitlines()

    assert line.startswith("import os; ")
    assert 'os.environ.get("SYNAPSE_STREAM_ENABLE") == "1"' in line


def test_exec_passes_arguments_and_exit_code_and_enables_every_python_below() -> None:
    code = "import os, sys; print(sys.argv[1:], os.environ['SYNAPSE_STREAM_ENABLE']); sys.exit(7)"
    done = python(*EXEC, sys.executable, "-c", code, "--flag", "-x")

    assert (done.returncode, done.stdout) == (7, "['--flag', '-x'] 1\n"), done.stderr


def test_exec_names_a_command_that_is_not_there() -> None:
    done = python(*EXEC, "no-such-command")

    assert done.returncode == 2
    assert (
        done.stderr == "synapse-stream: no-such-command cannot be run: No such file or directory\n"
    )


def test_exec_lets_the_plugins_own_sitecustomize_run(tmp_path: Path) -> None:
    own = tmp_path / "sitecustomize.py"
    own.write_text("import os; print(os.environ.get('SYNAPSE_STREAM_ENABLE'), __file__)\n")
    done = python(*EXEC, sys.executable, "-c", "print('main')", PYTHONPATH=str(tmp_path))

    assert done.stdout.splitlines() == [f"None {own}", f"1 {own}", "main"], done.stderr


def test_a_python_without_us_says_so_and_goes_on(tmp_path: Path) -> None:
    done = python(
        *(sys.executable, "-S", "-c", "import sitecustomize; print('main')"),
        cwd=tmp_path,
        PYTHONPATH=str(STARTUP),
    )

    assert done.stdout == "main\n"
    assert done.stderr.startswith(f"synapse-stream: {sys.executable} does not report: ")


def test_what_cannot_be_replaced_is_said_and_stops_no_import(tmp_path: Path) -> None:
    """The library here lacks what the loggers of the bridge are made of."""
    package = tmp_path / "synapse_sdk"
    package.mkdir()
    for name, text in LIBRARY.items():
        (package / name).write_text(text)
    done = python(
        *(
            *EXEC,
            sys.executable,
            "-c",
            "from synapse_sdk.drivers import JobLogger; print(JobLogger)",
        ),
        PYTHONPATH=str(tmp_path),
    )

    assert done.returncode == 0
    assert done.stdout == "<class 'synapse_sdk.loggers.JobLogger'>\n"
    assert "synapse_sdk.loggers was imported, but cannot report to Synapse Stream" in done.stderr


def test_libraries_that_are_named_report_as_soon_as_they_are_imported(tmp_path: Path) -> None:
    """One that nobody knows is said, and a bridge that cannot be installed stops no import."""
    code = """
import sys
print("tqdm" in sys.modules)
import tqdm.std
from synapse_stream.integrations import tqdm as bridge
print(tqdm.std.tqdm.close is bridge._CLOSE, "torch" in sys.modules)
import wandb.sdk.wandb_run
"""
    library = tmp_path / "wandb" / "sdk"
    library.mkdir(parents=True)
    (library / "wandb_run.py").write_text("")
    done = python(
        *(*EXEC, sys.executable, "-c", code),
        PYTHONPATH=str(tmp_path),
        SYNAPSE_STREAM_BRIDGES="tqdm, wandb,keras",
    )

    assert (done.returncode, done.stdout.split()) == (0, ["False", "True", "False"]), done.stderr
    assert "SYNAPSE_STREAM_BRIDGES=keras is not known; there are logging, mlflow" in done.stderr
    assert "wandb.sdk.wandb_run was imported, but cannot report" in done.stderr
