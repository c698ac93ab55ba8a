"""Reporting over HTTP: a plugin that has an address and a token, and what befalls them."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from synapse_stream import JobStream, open_run
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.events.types import Message, Metrics
from synapse_stream.log.event_log import open_log
from synapse_stream.ports.operations import open_operations
from synapse_stream.producer.adoption.adopt import adopt_all
from synapse_stream.producer.shipping.port import opener
from synapse_stream.remote import bearer
from synapse_stream.remote.log import RemoteLog
from synapse_stream.remote.tokens import issue, read, sign
from synapse_stream.settings import PREFIX, Settings
from tests.support import doors
from tests.support.chains import Chain
from tests.support.descriptors import PLUGIN
from tests.support.doors import OPERATOR, SECRET, token
from tests.support.servers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.doors import Door
    from tests.support.servers import TestServer

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def door(own_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("reporting")
    with doors.opened(own_server, home, namespace="reporting") as opened:
        yield opened


def losses(door: Door, job: str) -> list[float]:
    """Return the losses that a job has, in the order of its stream."""
    events = [recorded.event for recorded in JobStream(job, door.settings).read()]
    return [event.values["loss"] for event in events if isinstance(event, Metrics)]


def test_a_plugin_with_an_address_and_a_token_reports_as_over_redis(
    door: Door, tmp_path: Path
) -> None:
    settings = door.plugin(tmp_path, token("plain"))
    with open_run("plain", settings=settings, env={}, params={"lr": 0.1}) as ctx:
        for loss in range(3_000):
            ctx.set_metrics({"loss": loss})
        assert ctx.flush(20)
    kinds = [recorded.event.type for recorded in JobStream("plain", door.settings).read()]

    assert (kinds[0], kinds[-1], len(kinds)) == ("run_started", "end", 3_002)
    assert losses(door, "plain") == list(range(3_000))
    assert [spool.name for spool in settings.spool_root.iterdir() if spool.is_dir()]


@pytest.mark.parametrize("how", ["expired", "revoked"])
def test_a_token_that_ends_in_the_middle_costs_nothing_and_is_said_once(
    door: Door, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    job, file = f"ends-{how}", tmp_path / "token"
    claims = issue("plugin", 3600, jobs=job, append=True)
    file.write_text(sign(claims, SECRET))
    settings = door.plugin(tmp_path, f"@{file}", connect_seconds=2.0)
    with open_run(job, settings=settings, env={}) as ctx:
        ctx.set_metrics({"loss": 0})
        assert ctx.flush(20)
        if how == "expired":
            file.write_text(doors.expired(job))
            bearer._renewed[sign(claims, SECRET)] = doors.expired(job)
        else:
            httpx.delete(
                f"{door.url}/api/tokens/{claims.id}",
                headers={"Authorization": f"Bearer {OPERATOR}"},
            )
        for loss in range(1, 500):
            ctx.set_metrics({"loss": loss})
        assert not ctx.flush(1.5)
        said = [record.getMessage() for record in caplog.records]
        file.write_text(token(job))
        assert ctx.flush(20)

    assert losses(door, job) == list(range(500))
    assert len(said) == 1
    assert how in said[0]
    assert str(settings.spool_root) in said[0]
    assert token(job) not in caplog.text
    assert "the server takes events again" in caplog.text


def test_a_token_is_renewed_while_the_run_lives_and_a_forked_child_has_it_too(
    door: Door, tmp_path: Path
) -> None:
    claims = issue("plugin", 3600, jobs="renewed", append=True)
    given = sign(claims.model_copy(update={"expires": claims.expires - 1_900}), SECRET)
    with open_run("renewed", settings=door.plugin(tmp_path, given), env={}) as ctx:
        ctx.set_metrics({"loss": 0})
        assert ctx.flush(20)
        renewed = read(bearer._renewed[given], SECRET)
        child = os.fork()
        if child == 0:
            os._exit(bearer.Bearer(given).token == given)
        _, status = os.waitpid(child, 0)

    assert renewed is not None
    assert renewed.id == claims.id
    assert renewed.expires >= claims.expires
    assert status == 0


SPAWNED = """
from synapse_stream import open_run
with open_run("spawned", rank=1, env={}) as ctx:
    ctx.set_metrics({"loss": 1})
    print(ctx.flush(10))
"""


def test_a_process_spawned_after_its_token_has_ended_has_the_renewed_one(
    door: Door, tmp_path: Path
) -> None:
    """It is the user's alone, is taken where it was left, and goes when it has ended."""
    claims = issue("plugin", 3600, jobs="spawned", append=True)
    ends = int(time.time()) + 3
    given = sign(claims.model_copy(update={"expires": ends}), SECRET)
    settings = door.plugin(tmp_path / "here", given, connect_seconds=2.0)
    left = settings.data_dir / "tokens"
    left.mkdir(parents=True)
    (left / "ended").touch()
    os.utime(left / "ended", (1, 1))
    with open_run("spawned", settings=settings, env={}) as ctx:
        ctx.set_metrics({"loss": 0})
        assert ctx.flush(20)
        wait_until(lambda: time.time() > ends + 1)
        bearer._renewed.clear()  # as it is in a process that is new
        here = play(SPAWNED, settings)
        elsewhere = play(SPAWNED, door.plugin(tmp_path / "there", given, exit_wait_seconds=0.1))
    (file,) = left.iterdir()

    assert (here.stdout, here.returncode) == ("True\n", 0), here.stderr
    assert elsewhere.stdout == "False\n"
    assert "expired at" in elsewhere.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert losses(door, "spawned") == [0, 1]


def test_a_renewed_token_that_is_refused_is_not_tried_for_ever(tmp_path: Path) -> None:
    claims = issue("plugin", 3600, jobs="job", append=True)
    given = sign(claims, SECRET)
    newer = sign(claims.model_copy(update={"expires": claims.expires + 60}), SECRET + "!")
    one, other = bearer.Bearer(given, tmp_path), bearer.Bearer(given, tmp_path)
    assert one.token == given
    one.renew(newer)
    bearer._renewed.clear()

    assert other.token == newer
    other.look_again()
    assert other.token == given


KILLED = """
import os, signal
from synapse_stream import open_run
with open_run("killed", env={}) as ctx:
    ctx.set_metrics({"loss": 0})
    ctx.flush(20)
    for loss in range(1, 200):
        ctx.set_metrics({"loss": loss})
    os.kill(os.getpid(), signal.SIGKILL)
"""


def play(code: str, settings: Settings, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a plugin with these settings."""
    shown = settings.model_dump(exclude_none=True, exclude_unset=True)
    environ = {f"{PREFIX}{name.upper()}": str(value) for name, value in shown.items()}
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_killed_plugin_left_is_sent_by_the_next_one_whose_token_is_for_it(
    door: Door, tmp_path: Path
) -> None:
    settings, other = (door.plugin(tmp_path, token(job)) for job in ("killed", "other"))
    done = play(KILLED, settings)
    (left,) = adopt_all(other, opener(other))
    adopted = adopt_all(settings, opener(settings))

    assert done.returncode == -signal.SIGKILL
    assert left.trouble is not None
    assert "the token is for 'other'" in left.trouble
    assert [(each.is_lost, each.trouble) for each in adopted] == [(True, None)]
    assert losses(door, "killed") == list(range(200))


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    """Serve what is none of ours."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Other(BaseHTTPRequestHandler):
    """Notes what it is asked, and answers as `answers` says."""

    asked: list[str]
    answers: tuple[int, dict[str, str], bytes]

    def do_GET(self) -> None:
        self.asked.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, body = self.answers
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(door: Door, tmp_path: Path, status: int) -> None:
    class Away(Other):
        asked: list[str] = []  # noqa: RUF012
        answers = (status, {"Location": f"{door.url}/api/deployment"}, b"")

    with serving(Away) as server:
        there = f"http://127.0.0.1:{server.server_port}"
        log = RemoteLog(door.plugin(tmp_path, token("away"), url=there))
        with closing(log), pytest.raises(LogUnavailable, match=f"leads to {door.url}"):
            log.append(Chain("away").add())

    assert len(Away.asked) == 1
    with closing(RemoteLog(door.plugin(tmp_path, token("away")))) as direct:
        assert direct.heads([("away", "producer-1")])[0].last == -1


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((200, {}, b"<html>"), "does not answer as Synapse Stream does"),
        ((200, {}, b"{}"), "does not answer as Synapse Stream does"),
        ((200, {}, b"[1]"), "does not answer as Synapse Stream does"),
        ((200, {}, b'{"outcome":"eaten","last":1,"hash":""}'), "does not answer as"),
        ((404, {}, b"<html>"), "answers with 404, and not as Synapse Stream does"),
        ((502, {}, b'{"error": 1}'), "answers with 502"),
        ((401, {}, b'{"detail": "no"}'), "refuses: no"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), "cannot be asked"),
    ],
)
def test_what_is_none_of_our_apis_is_told_so(
    door: Door, tmp_path: Path, answers: tuple[int, dict[str, str], bytes], said: str
) -> None:
    Said = type("Said", (Other,), {"asked": [], "answers": answers})  # noqa: N806

    with serving(Said) as server:
        there = f"http://127.0.0.1:{server.server_port}"
        log = RemoteLog(door.plugin(tmp_path, None, url=there))
        with closing(log), pytest.raises(LogUnavailable, match=said):
            log.append(Chain("odd").add())


def test_the_proxy_of_the_environment_is_used_unless_the_host_is_excepted(
    door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Proxy(Other):
        asked: list[str] = []  # noqa: RUF012
        logins: list[str | None] = []  # noqa: RUF012

        def do_GET(self) -> None:
            self.logins.append(self.headers.get("Proxy-Authorization"))
            with urlopen(self.path) as answer:  # as an ordinary proxy asks
                self.answers = (200, {"Content-Type": "application/json"}, answer.read())
            super().do_GET()

    class There(Other):
        asked: list[str] = []  # noqa: RUF012
        answers = (200, {}, b'{"id": "through the proxy"}')

    with serving(Proxy) as proxy, serving(There) as there:
        here = f"http://127.0.0.1:{there.server_port}"
        settings = door.plugin(tmp_path, "secret", url=here)
        monkeypatch.setenv("http_proxy", f"http://me:p%40ss@127.0.0.1:{proxy.server_port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with closing(RemoteLog(settings)) as direct:
            assert direct.check() == "through the proxy"
        assert Proxy.asked == []
        monkeypatch.setenv("no_proxy", "elsewhere")
        with closing(RemoteLog(settings)) as log:
            monkeypatch.setenv("no_proxy", "*")  # for what the proxy itself asks
            assert log.check() == "through the proxy"

    assert Proxy.asked == [f"GET {here}/api/deployment"]
    assert Proxy.logins == ["Basic bWU6cEBzcw=="]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate that nobody but itself signs for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_a_certificate_is_believed_when_its_authority_is_named_and_not_else(
    door: Door, tmp_path: Path, certificate: Path
) -> None:
    class Secure(Other):
        asked: list[str] = []  # noqa: RUF012
        answers = (200, {}, b'{"id": "secure"}')

    with serving(Secure) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        given = {"url": f"https://127.0.0.1:{server.server_port}", "connect_seconds": 10.0}
        log = RemoteLog(door.plugin(tmp_path, None, **given))
        with closing(log), pytest.raises(LogUnavailable, match="by SYNAPSE_STREAM_CA_FILE"):
            log.check()
        believed = door.plugin(tmp_path, None, **given, ca_file=certificate)
        with closing(RemoteLog(believed)) as log:
            assert log.check() == "secure"

    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_CA_FILE"):
        RemoteLog(door.plugin(tmp_path, None, ca_file=tmp_path / "none.pem"))


def test_a_connection_writes_to_and_closes_no_file_that_has_got_its_number(
    door: Door, tmp_path: Path
) -> None:
    done = play(PLUGIN, door.plugin(tmp_path, token("job-1")), str(tmp_path / "own"))
    messages = [r.event for r in JobStream("job-1", door.settings).read()]

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "own").read_bytes() == b""
    assert [event.content for event in messages if isinstance(event, Message)] == [
        *("before", "after 0", "after 1", "after 2", "after 3", "after 4", "later")
    ]


def test_one_server_is_named_and_by_the_door_that_is_meant(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both set"):
        Settings(url="https://here", redis_url="redis://there")
    with pytest.raises(ConfigError, match="SYNAPSE_STREAM_REDIS_URL"):
        open_log(Settings(url="https://here", data_dir=tmp_path))
    with pytest.raises(ConfigError, match="not to be had over SYNAPSE_STREAM_URL"):
        open_operations(Settings(url="https://here", data_dir=tmp_path))
    for wrong in ("ftp://here", "https://me:secret@here", "https://here?x=1"):
        with pytest.raises(ConfigError, match="SYNAPSE_STREAM_URL") as refused:
            Settings(url=wrong)
        assert "secret" not in str(refused.value)
    assert Settings(url="https://here/streams/").url == "https://here/streams"


def test_neither_token_nor_secret_is_shown() -> None:
    shown = Settings(url="https://here", token="t0p", token_secret=SecretStr("s3cret"))

    assert "t0p" not in repr(shown)
    assert "s3cret" not in repr(shown)
    assert {shown.masked()["token"], shown.masked()["token_secret"]} == {"***"}


LATE = """
import sys
from synapse_stream import open_run
early = {"urllib3", "redis"} & sys.modules.keys()
with open_run("job", env={}) as ctx:
    ctx.set_metrics({"loss": 1})
    ctx.flush(1)
print(sorted(early), "redis" in sys.modules)
"""


def test_a_plugin_that_reports_over_http_imports_neither_redis_nor_early_what_it_speaks_by(
    tmp_path: Path,
) -> None:
    nowhere = Settings(url="http://127.0.0.1:9", data_dir=tmp_path, exit_wait_seconds=0.1)
    done = play(LATE, nowhere)

    assert done.stdout.strip() == "[] False"
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr


def test_the_token_is_looked_for_where_the_settings_say(door: Door, tmp_path: Path) -> None:
    missing = door.plugin(tmp_path, f"@{tmp_path / 'nowhere'}")
    with closing(RemoteLog(missing)) as log:
        with pytest.raises(LogUnavailable, match="nowhere cannot be read") as failed:
            log.check()
        (tmp_path / "nowhere").write_text(f"{token('found')}\n")
        assert wait_until(log.check)

    assert failed.value.is_refusal
