"""A PgBouncer in front of a PostgreSQL database, as several hosted offers have one.

It lends a session for one transaction (`pool_mode=transaction`), few of them to many clients, and
refuses options of the start. Its real program is used; as root it runs as nobody, as it demands.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import psycopg
import pytest
from sqlalchemy import make_url

from tests.support.machine import needed
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Databases

NO_PGBOUNCER = "no PgBouncer: apt-get install -y pgbouncer"
_SESSIONS = 3


class Pooler:
    """Lends few sessions of each database of a server; gone with its files at the end."""

    def __init__(self, url: str) -> None:
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
        self._program: str = needed(program, NO_PGBOUNCER)
        self._target = make_url(url)
        self._home = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self._home, nobody.pw_uid, nobody.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the database through the pooler."""
        return self.through(self._target.render_as_string(hide_password=False))

    def cut(self) -> int:
        """End every session of the database at once, in whatever transaction; return how many."""
        target = self._target.render_as_string(hide_password=False)
        with psycopg.connect(target, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchone()
        return int(ended[0]) if ended else 0

    def __enter__(self) -> Self:
        server = self._target.query["host"]
        config = self._home / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host={server} user=postgres\n"
            f"[pgbouncer]\nunix_socket_dir = {self._home}\nlisten_port = 6432\n"
            "auth_type = any\npool_mode = transaction\nadmin_users = postgres\n"
            f"default_pool_size = {_SESSIONS}\nmax_client_conn = 500\nserver_login_retry = 1\n"
            f"logfile = {self._home}/log\npidfile = {self._home}/pid\n"
        )
        self._process = subprocess.Popen(
            [self._program, "-q", config],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._home,
            **self._as_user,
        )
        wait_until(self._is_answering)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        shutil.rmtree(self._home)

    def _is_answering(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._home / "log").read_text()[-2000:]
        try:
            psycopg.connect(self.url, connect_timeout=2, prepare_threshold=None).close()
        except psycopg.OperationalError:
            return False
        return True

    def through(self, url: str) -> str:
        """Return the address through the pooler of a database of the same server."""
        home = quote(str(self._home), safe="")
        return f"postgresql://postgres@/{make_url(url).database}?host={home}&port=6432"


@pytest.fixture(scope="session")
def pooler(postgres: Databases) -> Iterator[Pooler]:
    """Share one pooler of the shared PostgreSQL server."""
    with postgres.lend() as url, Pooler(url) as shared:
        yield shared
