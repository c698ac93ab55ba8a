"""Server URLs, client settings, and the words for every failure; no server is needed."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis, exceptions
from redis.cluster import RedisCluster
from redis.sentinel import MasterNotFoundError, SentinelConnectionPool
from redis.utils import HIREDIS_AVAILABLE

from synapse_stream.entries.keys import Keys
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log.connection import LONGEST_BLOCK_MS, LazyClient, bounded, connect
from synapse_stream.log.event_log import EventLog, open_log
from synapse_stream.log.failures import FAILURES, translate
from synapse_stream.log.url import parse_url
from synapse_stream.settings import Settings
from tests.support.chains import Chain

if TYPE_CHECKING:
    from pathlib import Path

REDIS_FAILURES = [
    kind
    for _, kind in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(kind, Exception) and kind.__module__ == exceptions.__name__
]


class Failing:
    """A client whose every command fails in one way."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.is_closed = False

    def execute_command(self, *_: Any, **__: Any) -> Any:
        raise self.error

    def close(self) -> None:
        self.is_closed = True


def an_error(kind: type[Exception], words: str = "the server's own words") -> Exception:
    is_redirect = issubclass(kind, exceptions.AskError)
    return kind("1 127.0.0.1:7000" if is_redirect else words)


@pytest.mark.parametrize(
    ("url", "nodes", "login"),
    [
        ("redis://", (("localhost", 6379),), {"db": 0}),
        ("redis://h:1/3", (("h", 1),), {"db": 3}),
        ("redis://[::1]:1", (("::1", 1),), {"db": 0}),
        ("redis://u%40x:p%2Fw@h", (("h", 6379),), {"db": 0, "username": "u@x", "password": "p/w"}),
        ("redis://:secret@h", (("h", 6379),), {"db": 0, "password": "secret"}),
        ("rediss://h", (("h", 6379),), {"db": 0, "ssl": True}),
        (
            "rediss://h?ssl_ca_certs=/ca.pem&ssl_check_hostname=false",
            (("h", 6379),),
            {"db": 0, "ssl": True, "ssl_ca_certs": "/ca.pem", "ssl_check_hostname": False},
        ),
        ("redis+cluster://a:1,b:2,c", (("a", 1), ("b", 2), ("c", 6379)), {}),
        ("rediss+cluster://u:p@a", (("a", 6379),), {"username": "u", "password": "p", "ssl": True}),
    ],
)
def test_a_url_says_where_the_servers_are_and_how_to_log_in(
    url: str, nodes: tuple[tuple[str, int], ...], login: dict[str, Any]
) -> None:
    endpoint = parse_url(url)

    assert (endpoint.nodes, endpoint.login) == (nodes, login)


def test_a_unix_url_names_a_socket() -> None:
    endpoint = parse_url("unix://u:p@/run/val%20key.sock")

    assert endpoint.path == "/run/val key.sock"
    assert endpoint.login == {"username": "u", "password": "p"}


def test_a_sentinel_url_names_the_service_and_both_logins() -> None:
    endpoint = parse_url(
        "rediss+sentinel://u:p@a:1,b/jobs/2?sentinel_username=s&sentinel_password=t"
    )

    assert (endpoint.nodes, endpoint.service) == ((("a", 1), ("b", 26379)), "jobs")
    assert endpoint.login == {"db": 2, "username": "u", "password": "p", "ssl": True}
    assert endpoint.sentinel_login == {"username": "s", "password": "t", "ssl": True}


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://h", "its scheme must be one of redis, rediss, unix"),
        ("redis://h:port", "it cannot be read"),
        ("redis://h:99999", "out of range"),
        ("redis://a..b", "label empty"),
        ("redis://h/jobs", "the database must be a number, not 'jobs'"),
        ("redis://a,b", "several hosts need redis+cluster:// or redis+sentinel://"),
        ("redis://h?socket_timeout=60", "'socket_timeout' is no option of a redis URL"),
        ("redis://h?ssl_ca_certs=x", "'ssl_ca_certs' is no option of a redis URL; allowed: none"),
        ("rediss://h?ssl_check_hostname=no", "must be true or false, not 'no'"),
        ("rediss://h?sentinel_password=x", "'sentinel_password' is no option of a rediss URL"),
        ("redis+cluster://h/1", "a cluster has only the database 0"),
        ("redis+sentinel://h", "it lacks the name of the service"),
        ("unix://", "it lacks the path of the socket"),
    ],
)
def test_a_wrong_url_is_refused_with_what_is_allowed(url: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url(url)

    assert complaint in str(caught.value)


def test_the_message_on_a_wrong_url_hides_the_password() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_url("redis://user:hunter2@h/jobs")

    assert "hunter2" not in str(caught.value)
    assert "redis://h/jobs" in str(caught.value)


@pytest.mark.parametrize("url", ["redis://h", "rediss://h", "unix:///s", "redis+sentinel://h/jobs"])
def test_no_client_retries_and_every_socket_has_a_time_out(url: str) -> None:
    client = connect(parse_url(url), connect_seconds=2, answer_seconds=7)

    assert isinstance(client, Redis)
    connection: Any = client.connection_pool.make_connection()
    assert connection.retry.get_retries() == 0
    assert connection.socket_timeout == 7
    if not url.startswith("unix"):
        assert connection.socket_connect_timeout == 2
    if isinstance(client.connection_pool, SentinelConnectionPool):
        (sentinel,) = client.connection_pool.sentinel_manager.sentinels
        asked = sentinel.connection_pool.make_connection()
        assert (asked.retry.get_retries(), asked.socket_timeout) == (0, 2)
    client.close()


def test_a_cluster_client_retries_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(RedisCluster, "__init__", lambda _, **options: asked.update(options))
    monkeypatch.setattr(RedisCluster, "__del__", lambda _: None)

    connect(parse_url("redis+cluster://a,b"), connect_seconds=2, answer_seconds=7)

    assert asked["retry"].get_retries() == 0
    assert (asked["socket_timeout"], asked["socket_connect_timeout"]) == (7, 2)


def test_replies_are_parsed_by_hiredis() -> None:
    assert HIREDIS_AVAILABLE


def test_blocking_reads_wait_longer_for_an_answer_than_they_block(tmp_path: Path) -> None:
    log = open_log(Settings(redis_url="redis://h", connect_seconds=0.5, data_dir=tmp_path))

    blocking = log._blocking
    assert isinstance(blocking, LazyClient)
    client = blocking._connect()
    assert isinstance(client, Redis)
    connection: Any = client.connection_pool.make_connection()
    assert connection.socket_timeout > LONGEST_BLOCK_MS / 1000
    client.close()


def test_no_blocking_read_waits_for_ever() -> None:
    waits = [bounded(block_ms) for block_ms in (-1, 0, 1, 300, 10**9)]

    assert waits == [1, 1, 1, 300, LONGEST_BLOCK_MS]


def test_redis_py_has_failures_to_map() -> None:
    assert len(REDIS_FAILURES) > 20


@pytest.mark.parametrize("kind", REDIS_FAILURES, ids=lambda kind: kind.__name__)
def test_every_failure_of_redis_py_becomes_ours(kind: type[Exception]) -> None:
    log = EventLog(Failing(an_error(kind)), Keys("synapse", 16), "redis://h")

    assert issubclass(kind, FAILURES)
    with pytest.raises(LogUnavailable) as caught:
        log.append(Chain().add())
    assert str(caught.value).startswith("the server redis://h ")
    assert "appending to job 'job-1'" in str(caught.value)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.OutOfMemoryError("command not allowed"), "out of memory; raise its maxmemory"),
        (exceptions.ReadOnlyError("You can't write"), "read-only replica; name the primary"),
        (exceptions.BusyLoadingError("loading"), "is still loading its data"),
        (exceptions.AuthenticationError("WRONGPASS"), "did not accept the login"),
        (exceptions.NoPermissionError("xadd"), "does not permit this user"),
        (exceptions.TimeoutError("Timeout reading"), "did not answer in time"),
        (exceptions.ConnectionError("Error 111"), "cannot be reached"),
        (MasterNotFoundError("No master found for 'jobs'"), "cannot be reached"),
        (exceptions.ClusterDownError("Hash slot not served"), "without a primary for these keys"),
        (exceptions.MovedError("1 127.0.0.1:7000"), "use a redis+cluster:// URL"),
        (exceptions.ResponseError("MISCONF Errors writing"), "cannot save to its disk"),
        (exceptions.ResponseError("NOREPLICAS Not enough"), "too few replicas follow it"),
        (exceptions.ResponseError("BUSY Server is busy"), "busy with a slow script"),
        (exceptions.ResponseError("WRONGTYPE Operation"), "a key of another type"),
        (exceptions.ResponseError("Protocol error: unauthenticated multibulk"), "the login"),
        (exceptions.ResponseError("ERR unknown"), "refused the command"),
        (ConnectionResetError(104, "reset by peer"), "cannot be reached"),
        (TimeoutError("timed out"), "did not answer in time"),
    ],
)
def test_a_failure_says_what_it_means_and_what_to_do(error: Exception, words: str) -> None:
    said = str(translate(error, "redis://h", "appending"))

    assert words in said
    assert str(error) in said


def test_a_failure_of_the_script_is_told_without_the_script() -> None:
    error = exceptions.OutOfMemoryError("command not allowed. script: f00, on @user_script:17.")

    assert "@user_script" not in str(translate(error, "redis://h", "appending"))


def test_after_a_failure_the_next_command_connects_anew() -> None:
    clients = [Failing(exceptions.ConnectionError("gone")) for _ in range(2)]
    lazy = LazyClient(iter(clients).__next__)

    for number in range(2):
        with pytest.raises(exceptions.ConnectionError):
            lazy.execute_command("PING")
        assert [client.is_closed for client in clients] == [True, number == 1]


@pytest.mark.parametrize(
    "refusal",
    [
        exceptions.NoScriptError("No matching script"),
        exceptions.NoPermissionError("no permissions"),
        exceptions.OutOfMemoryError("OOM command not allowed"),
        exceptions.ResponseError("no such key"),
    ],
)
def test_a_refused_command_keeps_the_connection_that_other_threads_use(
    refusal: exceptions.ResponseError,
) -> None:
    client = Failing(refusal)
    lazy = LazyClient(lambda: client)

    with pytest.raises(type(refusal)):
        lazy.execute_command("XINFO")
    assert not client.is_closed
    lazy.close()
    assert client.is_closed


def test_without_an_embedded_server_the_error_says_how_to_get_one(tmp_path: Path) -> None:
    log = open_log(Settings(data_dir=tmp_path))

    with pytest.raises(LogUnavailable) as caught:
        log.append(Chain().add())
    assert f"none runs in {tmp_path}" in str(caught.value)
    assert "set SYNAPSE_STREAM_REDIS_URL" in str(caught.value)
    assert "SYNAPSE_STREAM_REDIS_URL" in str(caught.value)
