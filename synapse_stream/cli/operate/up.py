"""`synapse-stream up`: everything on one machine, in one supervised command."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from synapse_stream.cli.shared.left import adoption_line
from synapse_stream.cli.shared.output import coloured
from synapse_stream.cli.shared.reading import say_no
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from synapse_stream.agent.agent import Agent
    from synapse_stream.settings import Settings
    from synapse_stream.supervisor.readiness import Site
    from synapse_stream.supervisor.supervisor import Supervisor

_NEEDED = ("sqlalchemy", "fastapi", "uvicorn")
_USUAL_SECONDS, _READY_SECONDS = 15.0, 120.0
_SHARED = ("data_dir", "spool_dir", "redis_url", "store_url", "namespace", "partitions")
"""Settings that plugins and readers must have in common with the processes of `up`."""


def up(
    *,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where everything is; else SYNAPSE_STREAM_DATA_DIR.", file_okay=False),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of page and API.")] = 8420,
    host: Annotated[
        str, typer.Option(help="Address of page and API; beyond this machine they demand tokens.")
    ] = "127.0.0.1",
    no_token: Annotated[
        bool, typer.Option("--no-token", help="Let every user and program of this machine in.")
    ] = False,
    redis_url: Annotated[
        str | None,
        typer.Option(help="A server to use; else SYNAPSE_STREAM_REDIS_URL, else one of its own."),
    ] = None,
    store_url: Annotated[
        str | None,
        typer.Option(help="Where the views are; else SYNAPSE_STREAM_STORE_URL, else SQLite files."),
    ] = None,
) -> None:
    """Run server, consumers, API and page, and send what killed plugins left, until Ctrl-C.

    What dies is started again. Ctrl-C stops all in order, a second one at once; nothing is lost.
    """
    from synapse_stream.ports.own import has_consumers
    from synapse_stream.settings import Settings
    from synapse_stream.supervisor.readiness import Site
    from synapse_stream.supervisor.single import RunsAlready, single

    began = time.monotonic()
    missing = next((name for name in _NEEDED if find_spec(name) is None), None)
    if missing is None and not has_consumers():
        missing = "consumers"
    if missing is not None:
        msg = f"up needs {missing}: pip install 'synapse-stream[all]' brings it"
        raise ConfigError(msg)
    settings = Settings.load(data_dir=data_dir, redis_url=redis_url, store_url=store_url)
    site = Site(host, port)
    try:
        about = {"pid": os.getpid(), "page": site.url, **_token(settings, is_open=no_token)}
        with single(settings.data_dir / "up.lock", about):
            site.check_free()
            _supervise(settings, site, host, began, is_open=no_token)
    except RunsAlready as error:
        at = ", ".join(f"{name} {value}" for name, value in error.about.items())
        say_no(f"up runs already in {settings.data_dir}: {at or 'it is just starting'}")


def _token(settings: Settings, *, is_open: bool) -> dict[str, str]:
    """Name the file of the token that the API makes for this machine; none where it makes none."""
    given = settings.api_tokens and settings.api_tokens.get_secret_value().strip() != "[]"
    return {} if given or is_open else {"token": str(settings.token_file)}


def _supervise(settings: Settings, site: Site, host: str, began: float, *, is_open: bool) -> None:
    stop, hurry = _take_signals()
    supervisor = _supervisor(settings, site, host, is_open=is_open)
    try:
        supervisor.start()
        _wait_until_ready(supervisor, site, stop, began)
        if not stop.is_set():
            page = _page(settings, site, is_open=is_open)
            _show_addresses(settings, page, time.monotonic() - began)
            with _agent(settings, site, is_open=is_open):
                supervisor.run(stop)
    except OSError as error:
        msg = f"up cannot go on: {error}"
        raise ConfigError(msg) from error
    finally:
        _say("Stopping: API, consumers, server")
        supervisor.stop(hurry)


def _agent(settings: Settings, site: Site, *, is_open: bool) -> Agent:
    """Make the agent of this host: it adopts what is left, and takes reports at its socket."""
    from synapse_stream.agent.agent import LONGEST_PATH, Agent
    from synapse_stream.settings import Settings

    token = f"@{settings.token_file}" if _token(settings, is_open=is_open) else None
    api = Settings(url=site.url, token=token, data_dir=settings.data_dir)
    path: Path | None = settings.data_dir / "agent.sock"
    if len(os.fsencode(str(path))) > LONGEST_PATH:
        _say(f"There is no socket to report at: {path} is longer than a socket's path may be")
        path = None
    return Agent(settings, lambda adoption: _say(adoption_line(adoption)), path=path, api=api)


def _wait_until_ready(
    supervisor: Supervisor, site: Site, stop: threading.Event, began: float
) -> None:
    """Return when the site answers or `stop` is set; say what is wrong, and in the end give up."""

    def is_enough(deadline: float) -> bool:
        return site.is_ready() or time.monotonic() > deadline

    for seconds in (_USUAL_SECONDS, _READY_SECONDS):
        supervisor.run(stop, until=partial(is_enough, began + seconds))
        if stop.is_set() or site.is_ready():
            return
        _say(f"Not ready after {seconds:g} s: {site.said}")
    raise typer.Exit(1)


def _supervisor(settings: Settings, site: Site, host: str, *, is_open: bool) -> Supervisor:
    """Make the children: the server, a consumer of each projection, who signs, the API."""
    from synapse_stream.log.server import EmbeddedServer
    from synapse_stream.ports.own import program
    from synapse_stream.ports.projections import projections
    from synapse_stream.settings import PREFIX
    from synapse_stream.supervisor.children import Program, ServerChild
    from synapse_stream.supervisor.supervisor import Supervisor

    given = {"data_dir": str(settings.data_dir)}
    given |= {"redis_url": settings.redis_url or "", "store_url": settings.store_url or ""}
    environ = {**os.environ, **{f"{PREFIX}{name.upper()}": text for name, text in given.items()}}

    key = f"{PREFIX}SIGNING_KEY"
    without_key = {name: text for name, text in environ.items() if name != key}

    def child(name: str, module: str, *arguments: str, signs: bool = False) -> Program:
        command = program(module, *arguments)
        given = environ if signs else without_key
        return Program(name, command, environ=given, log=_logs(settings) / f"{name}.log")

    server = ServerChild(EmbeddedServer(settings.data_dir, on_leash=True))
    found = projections()
    for fault in found.faults().values():
        _say(fault)
    consumers = [child(name, "consumers", name) for name in found.names()]
    if settings.anchors and settings.signing_key:
        consumers.append(child("notary", "consumers", "notary", signs=True))
    way = ["--no-token"] if is_open else []
    api = child("api", "consumers.api", "--host", host, "--port", str(site.port), *way)
    return Supervisor([[] if settings.redis_url else [server], consumers, [api]], _say)


def _take_signals() -> tuple[threading.Event, threading.Event]:
    """Turn signals into events: the first one asks to stop, another one to hurry."""
    from synapse_stream.system.signals import on_signals

    stop, hurry = threading.Event(), threading.Event()

    def take(_: int) -> None:
        (hurry if stop.is_set() else stop).set()

    on_signals(take, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return stop, hurry


def _show_addresses(settings: Settings, page: dict[str, str], seconds: float) -> None:
    from synapse_stream.log.address import running_url
    from synapse_stream.redaction.urls import mask_url

    server = settings.redis_url or running_url(settings.data_dir)
    shown = {
        **page,
        "server": mask_url(server) + ("" if settings.redis_url else "  (its own)"),
        "data": settings.data_dir,
        "spool": settings.spool_root,
        "socket": settings.data_dir / "agent.sock",
        "logs": _logs(settings),
    }
    print(f"Synapse Stream is ready after {seconds:.1f} s; Ctrl-C stops it")
    for name, value in shown.items():
        print(f"  {name:<7} {value}")
    exports = _exports(settings)
    if exports:
        print("Plugins and commands in another terminal find it after")
        print("".join(f"  {line}\n" for line in exports), end="")
    sys.stdout.flush()


def _page(settings: Settings, site: Site, *, is_open: bool) -> dict[str, str]:
    """Return the page's address, with the token that the API has made, and where that stands."""
    token = _token(settings, is_open=is_open)
    if token:
        address = f"{site.url}/?token={settings.token_file.read_text('utf-8').strip()}"
        return {"page": coloured(address, "cyan"), **token}
    if is_open:
        _say("--no-token: every user and program of this machine may do everything, as operator")
    return {"page": coloured(site.url, "cyan")}


def _exports(settings: Settings) -> list[str]:
    """Return what other terminals have to set: what is not as it would be without."""
    from synapse_stream.settings import PREFIX, Settings

    here, elsewhere = settings.masked(), Settings.load(environ={}).masked()
    return [
        f"export {PREFIX}{name.upper()}={shlex.quote(here[name] or '')}"
        + ("" if here[name] == str(getattr(settings, name)) else "  # with its login")
        for name in _SHARED
        if here[name] != elsewhere[name]
    ]


def _logs(settings: Settings) -> Path:
    return settings.data_dir / "logs"


def _say(text: str) -> None:
    with suppress(OSError):  # the terminal may be gone
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
