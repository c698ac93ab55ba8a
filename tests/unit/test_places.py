from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.errors import ConfigError
from synapse_stream.settings import Settings, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STRANGER = 12345  # a user without an entry in the password file

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Return a directory that other users can get to, unlike pytest's own."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary files in a place of the test's own, and nothing said so far."""
    place = tmp_path / "temporary"
    place.mkdir()
    place.chmod(0o1777)
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(places, "_said", set())
    return place


def as_stranger(do: Callable[[], Any]) -> Any:
    """Call `do` in a forked child of another user; its answer, or its exception's text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(STRANGER)
            os.setuid(STRANGER)
            answer = str(do())
        except BaseException as error:  # noqa: BLE001 - it is told to the parent
            answer = repr(error)
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(child, 0)
    return answer


def nobody_knows(_user: int) -> Any:
    raise KeyError(_user)


def test_data_is_in_the_home_of_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().data_dir == tmp_path / ".local" / "share" / "synapse-stream"

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert Settings().data_dir == tmp_path / "data" / "synapse-stream"
    assert list(tmp_path.glob(".*")) == []  # nothing is made before it is needed


@pytest.mark.parametrize("home", [None, "", "relative/home"])
def test_without_a_home_it_is_among_the_temporary_files_which_is_said_once(
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    home: str | None,
) -> None:
    monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
    monkeypatch.setattr("pwd.getpwuid", nobody_knows)

    found = {Settings.load().data_dir for _ in range(3)}

    assert found == {temporary / f"synapse-stream-{os.geteuid()}"}
    assert next(iter(found)).stat().st_mode & 0o777 == 0o700
    assert caplog.text.count("SYNAPSE_STREAM_DATA_DIR") == 1
    assert str(temporary) in caplog.text


def test_a_relative_place_for_data_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "data")

    assert Settings().data_dir == tmp_path / ".local" / "share" / "synapse-stream"


@pytest.mark.parametrize("squatter", ["file", "link", "foreign", "open"])
def test_what_somebody_else_has_put_there_is_not_used(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, squatter: str
) -> None:
    if squatter == "foreign" and os.geteuid() != 0:
        pytest.skip("only root can make files of another user")
    monkeypatch.setenv("HOME", "nowhere")
    taken = temporary / f"synapse-stream-{os.geteuid()}"
    if squatter == "file":
        taken.touch()
    elif squatter == "link":
        taken.symlink_to(tmp_path)
    else:
        taken.mkdir(mode=0o700)
        os.chown(taken, STRANGER, STRANGER) if squatter == "foreign" else taken.chmod(0o777)

    assert Settings().data_dir == temporary / f"{taken.name}-2"
    assert Settings().data_dir == temporary / f"{taken.name}-2"


@needs_root
@pytest.mark.parametrize("home", ["unreadable", "read-only", "missing", "a file"])
def test_a_home_that_cannot_be_written_is_none(
    temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    place = tmp_path / home
    if home == "a file":
        place.touch()
    elif home != "missing":
        place.mkdir()
        place.chmod(0o700 if home == "unreadable" else 0o755)
    monkeypatch.setenv("HOME", str(place))

    assert as_stranger(lambda: Settings().data_dir) == str(temporary / f"synapse-stream-{STRANGER}")


@needs_root
def test_a_user_whom_nobody_knows_opens_a_run(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synapse_stream.reporting.run import open_run

    def report() -> str:
        with open_run("job", settings=Settings(exit_wait_seconds=0, connect_seconds=0.1)) as ctx:
            ctx.set_metrics({"loss": 0.5})
        return "done"

    monkeypatch.setenv("HOME", str(temporary.parent))
    report()  # for the imports, which the stranger may not be allowed to read
    monkeypatch.delenv("HOME")

    assert as_stranger(report) == "done"
    assert list((temporary / f"synapse-stream-{STRANGER}" / "spool").iterdir())


@needs_root
def test_a_server_in_a_home_that_can_only_be_read_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / ".local" / "share" / "synapse-stream"
    place.mkdir(parents=True)
    (place / "server.json").write_text("{}")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert as_stranger(lambda: Settings().data_dir) == str(place)


@pytest.mark.parametrize("name", ["DATA_DIR", "SPOOL_DIR"])
def test_a_place_that_was_set_and_leads_nowhere_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody_knows)

    with pytest.raises(ConfigError, match=f"SYNAPSE_STREAM_{name}=.*leads nowhere"):
        Settings.load({f"SYNAPSE_STREAM_{name}": "~/here"})


HOMELESS = """
import os, pwd, sys
os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])
def nobody(_): raise KeyError(_)
pwd.getpwuid = nobody
"""
PLUGIN = """
from synapse_stream import open_run
with open_run("job", on_unavailable="spool") as ctx:
    ctx.log_message("hello")
print("done")
"""


@pytest.mark.parametrize(
    "command",
    [
        "doctor",
        "drain",
        "jobs",
        "lag",
        "events job",
        "parked list",
        "trim",
        "show job",
    ],
)
def test_every_command_does_without_home_user_and_directory(
    tmp_path: Path, temporary: Path, command: str
) -> None:
    program = f"from synapse_stream.cli import main; sys.argv[1:] = {command.split()}; main()"

    ran = in_nowhere(program, tmp_path)

    assert "Traceback" not in ran.stderr
    assert ran.returncode in {0, 1}, ran.stderr
    assert f"so it is in {temporary}" in ran.stderr


def test_an_action_is_looked_for_without_a_directory(tmp_path: Path) -> None:
    program = "from synapse_stream.cli import main; sys.argv[1:] = ['run', 'no_such:It']; main()"

    ran = in_nowhere(program, tmp_path)

    assert (ran.returncode, ran.stderr.count("\n")) == (2, 1), ran.stderr


def test_a_plugin_does_without_home_user_and_directory(tmp_path: Path, temporary: Path) -> None:
    ran = in_nowhere(PLUGIN, tmp_path)

    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr
    assert list(temporary.glob("synapse-stream-*/spool/*"))


def in_nowhere(program: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}
    environ["SYNAPSE_STREAM_EXIT_WAIT_SECONDS"] = "0"
    return subprocess.run(
        [sys.executable, "-c", HOMELESS + program, str(nowhere)],
        env=environ | {"PYTHONPATH": str(Path(places.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
