"""`synapse-stream up` as real processes: it comes, goes on, adopts, and leaves without loss."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, Request, build_opener, urlopen

import psutil
import pytest
import typer

from consumers.views import names as projections
from synapse_stream import JobStream
from synapse_stream.cli.operate.up import _wait_until_ready
from synapse_stream.errors import LogUnavailable
from synapse_stream.models import RunStatus
from synapse_stream.ports.views import CompletenessStatus
from synapse_stream.settings import Settings
from synapse_stream.supervisor.readiness import Site
from synapse_stream.supervisor.supervisor import Supervisor
from tests.support.packages import put_module
from tests.support.servers import free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from synapse_stream.ports.views import RunState

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "synapse_stream.cli"]
CHILDREN = {"server", *projections(), "api"}

NEWS = re.compile(r"\d\d:\d\d:\d\d ")
PATIENCE_SECONDS = 120  # six processes start, on whatever else the machine does

pytestmark = pytest.mark.timeout(300)
patiently = partial(wait_until, seconds=PATIENCE_SECONDS)


class Up:
    """`synapse-stream up` in `home`; leaving kills what is left of it."""

    def __init__(self, home: Path, *arguments: str, **environ: str) -> None:
        self.home = home
        self.port = free_port()
        self.said: list[str] = []
        self.environ = {
            **{name: value for name, value in os.environ.items() if "SYNAPSE" not in name},
            "SYNAPSE_STREAM_DATA_DIR": str(home),
            "SYNAPSE_STREAM_LEASE_SECONDS": "1",
            "SYNAPSE_STREAM_EXIT_WAIT_SECONDS": "0.5",
            **environ,
        }
        command = [*COMMAND, "up", "--port", str(self.port), *arguments]
        self.process = subprocess.Popen(
            command,
            env=self.environ,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.family: dict[str, psutil.Process] = {}
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def ready(self) -> Self:
        """Wait until it says that it is ready."""
        patiently(lambda: self.has_said("export ") or self.process.poll() is not None)
        assert self.process.poll() is None, self.said
        self.family = self.children()
        return self

    def has_said(self, part: str) -> bool:
        return any(part in line for line in self.said)

    def children(self) -> dict[str, psutil.Process]:
        """Return its children by name."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                command = " ".join(child.cmdline())
                if match := re.search(r"consumers[. ]([a-z-]+)|(valkey-server)", command):
                    found[match[1] or "server"] = child
        return found

    def plugin(self, action: str, job: str, params: str = "{}") -> subprocess.Popen[bytes]:
        target = f"tests.cli.plugin:{action}"
        return subprocess.Popen(
            [*COMMAND, "run", target, "--job-id", job, "--params", params],
            env=self.environ,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def token(self) -> str:
        """What the page's address carries."""
        return self.settings.token_file.read_text().strip()

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.home)

    def state(self, job: str) -> RunState | None:
        return JobStream(job, self.settings).state()

    def signal(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_SECONDS)
        self._reader.join()
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        psutil.wait_procs(self.family.values(), 30)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.said.extend(lines)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Share one `up` among the tests that leave it running."""
    site = put_module(tmp_path_factory.mktemp("site"), "bad", "1 / 0", {"odd": "bad:V"})
    with Up(tmp_path_factory.mktemp("up"), PYTHONPATH=str(site)) as running:
        yield running.ready()


def test_it_tells_the_addresses_one_a_line_with_the_password_hidden(up: Up) -> None:
    first, *lines = [line for line in "".join(up.said).splitlines() if not NEWS.match(line)]
    shown = dict(line.split(maxsplit=1) for line in lines if line.startswith("  "))

    assert re.fullmatch(r"Synapse Stream is ready after \d+\.\d s; Ctrl-C stops it", first)
    assert shown.pop("server").startswith("redis://127.0.0.1:")
    assert shown == {
        "page": f"http://127.0.0.1:{up.port}/?token={up.token}",
        "token": str(up.home / "api.token"),
        "data": str(up.home),
        "spool": str(up.home / "spool"),
        "socket": str(up.home / "agent.sock"),
        "logs": str(up.home / "logs"),
        "export": f"SYNAPSE_STREAM_DATA_DIR={up.home}",
    }


def test_when_it_says_so_it_is_ready_with_every_part_a_process(up: Up) -> None:
    with urlopen(f"http://127.0.0.1:{up.port}/readyz") as answer:
        assert answer.status == 200
    assert up.children().keys() == CHILDREN


def test_it_says_which_view_of_another_package_is_left_out(up: Up) -> None:
    assert up.has_said("the view 'odd' of bad is left out: bad:V cannot be loaded: ZeroDivision")


def test_its_page_opens_by_the_address_that_it_tells_and_by_no_other(up: Up) -> None:
    assert up.settings.token_file.stat().st_mode & 0o777 == 0o600
    address = next(line.split()[1] for line in up.said if line.startswith("  page "))
    opener = build_opener(HTTPCookieProcessor())

    with opener.open(address) as page:
        assert page.url == f"http://127.0.0.1:{up.port}/"
    with opener.open(f"http://127.0.0.1:{up.port}/api/jobs") as listed:
        assert listed.status == 200
    with pytest.raises(HTTPError, match="401") as refused:
        urlopen(f"http://127.0.0.1:{up.port}/api/jobs")
    assert b"the token is in the file api.token, which `synapse-stream up` names" in (
        refused.value.read()
    )


def test_a_second_one_in_the_directory_says_that_it_runs_already(up: Up) -> None:
    with Up(up.home) as second:
        assert second.process.wait(PATIENCE_SECONDS) == 1
    assert second.said == [
        f"synapse-stream: up runs already in {up.home}: "
        f"pid {up.process.pid}, page http://127.0.0.1:{up.port}, token {up.home / 'api.token'}\n"
    ]


def test_a_taken_port_is_wrong_use_and_nothing_is_left_running(up: Up, tmp_path: Path) -> None:
    with Up(tmp_path, "--port", str(up.port)) as other:
        assert other.process.wait(PATIENCE_SECONDS) == 2

    assert len(other.said) == 1
    assert f"--port {up.port + 1}" in other.said[0]
    assert not (tmp_path / "server").exists()


@pytest.mark.parametrize("names", [projections(), ["server"], ["api"]])
def test_children_that_are_killed_come_back_and_views_go_on(up: Up, names: Sequence[str]) -> None:
    job = f"after-{names[0]}"
    before, heard = up.children(), len(up.said)
    for name in names:
        before[name].kill()
    up.plugin("Count", job).wait()

    patiently(lambda: has_status(up, job, RunStatus.COMPLETED))
    patiently(lambda: answers(up, f"/api/jobs/{job}"))
    patiently(lambda: up.children().keys() == CHILDREN)
    patiently(lambda: len(deaths(up.said[heard:])) >= len(names))
    changed = [name for name, child in up.children().items() if child.pid != before[name].pid]
    assert sorted(changed) == sorted(deaths(up.said[heard:])) == sorted(names)


def deaths(said: Sequence[str]) -> list[str]:
    return re.findall(r"^[0-9:]+ (\S+) (?:was )?ended", "".join(said), re.MULTILINE)


def has_status(up: Up, job: str, status: RunStatus) -> bool:
    state = up.state(job)
    return state is not None and state.status == status


def answers(up: Up, path: str) -> bool:
    headers = {"Authorization": f"Bearer {up.token}"}
    try:
        with urlopen(Request(f"http://127.0.0.1:{up.port}{path}", headers=headers)) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_what_a_killed_plugin_left_is_sent_and_its_run_has_failed(up: Up) -> None:
    plugin = up.plugin("Wait", "killed")
    wait_until(lambda: "message" in recorded(up, "killed"))  # nothing but its end is left to send
    plugin.kill()
    plugin.wait()

    wait_until(lambda: has_status(up, "killed", RunStatus.FAILED), 10)

    assert recorded(up, "killed")[-1] == "producer_lost"
    wait_until(lambda: up.has_said("job killed: 1 events sent from"))
    assert up.has_said("its process had died, which is now recorded")


def recorded(up: Up, job: str) -> list[str]:
    return [found.event.type for found in JobStream(job, up.settings).read()]


def test_ctrl_c_loses_nothing_and_what_waited_is_sent_by_the_next_one(tmp_path: Path) -> None:
    with Up(tmp_path) as first:
        first.ready()
        plugin = first.plugin("Count", "counted", '{"to": 250, "pause": 0.02}')
        patiently(lambda: first.state("counted"))

        assert first.signal(signal.SIGINT) == 0
        assert psutil.wait_procs(first.family.values(), 0)[1] == []
        assert plugin.wait(60) == 0
    with pytest.raises(LogUnavailable):
        recorded(first, "counted")
    with Up(tmp_path) as second:
        second.ready()
        state: Any = patiently(lambda: is_whole(second, "counted"))

        assert state.latest.counts == {
            "run_started": 1,
            "message": 1,
            "progress": 250,
            "metrics": 250,
            "end": 1,
        }
        second.process.kill()
        second.process.wait()
        assert psutil.wait_procs(second.family.values(), 30)[1] == []


def is_whole(up: Up, job: str) -> RunState | None:
    state = up.state(job)
    return state if state and is_complete(state) else None


def is_complete(state: RunState) -> bool:
    return (
        state.status == RunStatus.COMPLETED
        and state.latest.completeness.status == CompletenessStatus.COMPLETE
    )


def test_sigterm_while_it_starts_stops_it_as_well(tmp_path: Path) -> None:
    with Up(tmp_path) as starting:
        patiently(lambda: starting.children().keys() == CHILDREN)
        starting.family = starting.children()

        assert starting.signal(signal.SIGTERM) == 0

    assert psutil.wait_procs(starting.family.values(), 0)[1] == []
    assert not starting.has_said("is ready")


def test_settings_that_a_child_refuses_end_it_with_the_reason(tmp_path: Path) -> None:
    with Up(tmp_path, "--host", "0.0.0.0") as exposed:
        code = exposed.process.wait(PATIENCE_SECONDS)

    assert code == 2
    assert "SYNAPSE_STREAM_API_TOKENS" in exposed.said[-1]


@pytest.mark.parametrize("missing", ["fastapi", "sqlalchemy"])
def test_without_its_packages_it_names_what_to_install(
    command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr("synapse_stream.cli.operate.up._NEEDED", ("consumers", f"no_{missing}"))

    said = command("up")

    assert said.code == 2
    assert said.err == (
        f"synapse-stream: up needs no_{missing}: pip install 'synapse-stream[all]' brings it\n"
    )


def test_what_does_not_get_ready_is_told_and_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    nothing, site = Supervisor([], print), Site("127.0.0.1", free_port())

    with pytest.raises(typer.Exit) as left:
        _wait_until_ready(nothing, site, threading.Event(), time.monotonic() - 200)

    assert left.value.exit_code == 1
    said = [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]
    assert said == [
        "Not ready after 15 s: it does not answer",
        "Not ready after 120 s: it does not answer",
    ]
