"""A whole deployment for a browser: server, consumers and API in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import httpx

from consumers.views.opening import open_store
from synapse_stream.log.feeds import FeedLog
from synapse_stream.reporting.run import open_run
from synapse_stream.settings import Settings
from tests.support.anchoring import private_key
from tests.support.projecting import all_views, wait_for_views
from tests.support.servers import TestServer, free_port, wait_until
from tests.support.serving import DEADLINE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from synapse_stream.reporting.context import RuntimeContext


class Deployment:
    """Everything of a deployment, in `home`; leaving it stops all.

    with Deployment(home) as running:
        with running.open_run("job-1") as ctx: ...
        running.wait_for_views("job-1")
        running.kill_api(); running.start_api()
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._server = TestServer(home / "server")
        self._port = free_port()
        self._sign_off_key = private_key().get_secret_value()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.url = f"http://127.0.0.1:{self._port}"
        self.settings = Settings(redis_url=self._server.url, data_dir=home / "data")

    def __enter__(self) -> Self:
        """Start all; return when the API answers."""
        with ExitStack() as stack:
            stack.callback(self.__exit__)
            self._server.start()
            self._start("consumers", "all")
            self.start_api()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop all."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._server.__exit__()

    def start_api(self, tokens: str = "[]") -> None:
        """Start the API, on the same port as before; return when it answers."""
        given = ["--no-token"] if tokens == "[]" else []
        self._start(
            *("consumers.api", "--port", str(self._port), *given),
            SYNAPSE_STREAM_API_TOKENS=tokens,
            SYNAPSE_STREAM_SIGN_OFF_KEY=self._sign_off_key,
        )
        wait_until(self._is_answering)

    def kill_api(self) -> None:
        """Kill the API: whoever is connected is cut off."""
        process = self._processes["consumers.api"]
        process.kill()
        process.wait()

    @contextmanager
    def frozen_server(self) -> Iterator[None]:
        """Stop the server that runs report to, so that it answers nobody, while the block runs."""
        self._server.freeze()
        try:
            yield
        finally:
            self._server.thaw()

    def open_run(self, job_id: str, **given: Any) -> RuntimeContext:
        """Open a run that reports here."""
        return open_run(job_id, settings=self.settings, **given)

    def wait_for_views(self, job_id: str, status: str = "completed") -> None:
        """Return when a job has that status, and all views what was recorded until then."""
        wait_until(lambda: self._status(job_id) == status)
        settings = self.settings
        with closing(open_store(settings)) as store, closing(FeedLog.open(settings)) as log:
            wait_for_views(store, log, settings, all_views())

    def _status(self, job_id: str) -> object:
        answer = self._get("/api/jobs", q=job_id)
        return next(
            (job["status"] for job in answer.json()["jobs"] if job["job_id"] == job_id), None
        )

    def _is_answering(self) -> bool:
        with suppress(httpx.TransportError):
            return self._get("/api/session").is_success
        return False

    def _get(self, path: str, **asked: str) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", params=asked, timeout=DEADLINE_SECONDS)

    def _start(self, module: str, *arguments: str, **settings: str) -> None:
        environment = {
            **os.environ,
            **settings,
            "SYNAPSE_STREAM_REDIS_URL": self._server.url,
            "SYNAPSE_STREAM_DATA_DIR": str(self.settings.data_dir),
        }
        with (self._home / f"{module}.log").open("ab") as log:
            self._processes[module] = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
