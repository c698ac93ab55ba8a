from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ResponseError
from sqlalchemy.exc import OperationalError

from consumers.logs import JsonLines, _hide
from consumers.store.engine import open_postgres
from consumers.store.failures import translate
from synapse_stream.entries.keys import Keys
from synapse_stream.errors import ConfigError, LogUnavailable
from synapse_stream.log.event_log import EventLog
from synapse_stream.log.url import parse_url
from synapse_stream.redaction.urls import (
    HOW_TO_WRITE,
    is_readable,
    mask_url,
    secrets_of,
    without_secrets,
)
from synapse_stream.settings import Settings

if TYPE_CHECKING:
    from typing import Any

SECRET = "hunter2"
READABLE = [
    ("redis://host:6379/0", "redis://host:6379/0"),
    ("redis://user@host", "redis://host"),
    (f"redis://user:{SECRET}@host:6379", "redis://host:6379"),
    (f"redis://:{SECRET}:c@r@host", "redis://host"),
    (f"rediss://:%2F{SECRET}%3F@[::1]:1/2?ssl_password={SECRET}", "rediss://[::1]:1/2"),
    (f"redis+cluster://u:{SECRET}@a:1,b:2", "redis+cluster://a:1,b:2"),
    (
        f"redis+sentinel://u:{SECRET}@a:1,b/jobs/0?sentinel_password={SECRET}",
        "redis+sentinel://a:1,b/jobs/0",
    ),
    (f"redis+sentinel://a/jobs?sentinel_password={SECRET}@x", "redis+sentinel://a/jobs"),
    (f"unix:///tmp/socket?password={SECRET}&db=1", "unix:///tmp/socket"),
    (f"postgresql://u:{SECRET}@h:5432/db?sslpassword={SECRET}", "postgresql://h:5432/db"),
    (f"postgresql:///db?host=%2Fs&user=u&password={SECRET}", "postgresql:///db"),
    ("sqlite:////data/a b?c#d%2Fe@f/views", "sqlite:////data/a b?c#d%2Fe@f/views"),
]
IN_DOUBT = [
    f"redis://:{SECRET}/x@host:6379/0",
    f"redis://:{SECRET}?x@host:6379/0",
    f"redis://:{SECRET}#x@host:6379/0",
    f"redis://:1/{SECRET}@host:6379/0",
    f"redis://u:1?{SECRET}=x@host:6379/0",
    f"redis://u:1#{SECRET}@host:6379/0",
    f"redis://{SECRET}/@host",
    f"redis://u:{SECRET}@[::1",
    f"redis://:{SECRET}",
    f"redis+sentinel://u:{SECRET}/@a:1,b/jobs",
    f"unix://:{SECRET}/x@/tmp/socket",
    f"postgresql://u:{SECRET}/x@h/db",
    f"postgresql://u:1/{SECRET}@h/db",
    f"postgresql://u:p?{SECRET}@h/db",
    f"postgresql://u:p#{SECRET}@h/db",
    f"postgresql://h/db&password={SECRET}",
    f"postgresql:host=h password={SECRET}",
    f"host=h user=u password={SECRET} dbname=d",
    f"password='{SECRET} x' host=h",
    f"u:{SECRET}@h/db",
]


@pytest.mark.parametrize(("url", "shown"), READABLE)
def test_scheme_host_and_name_are_shown(url: str, shown: str) -> None:
    assert mask_url(url) == shown
    assert is_readable(url)


@pytest.mark.parametrize("url", IN_DOUBT)
def test_of_a_url_in_doubt_nothing_is_shown_but_its_scheme(url: str) -> None:
    scheme = url.partition("://")[0] + "://" if "://" in url else ""

    assert mask_url(url) == f"{scheme}***"
    assert not is_readable(url)


@pytest.mark.parametrize("name", ["REDIS_URL", "STORE_URL"])
@pytest.mark.parametrize("url", IN_DOUBT)
def test_no_setting_shows_a_url_in_doubt(url: str, name: str) -> None:
    variable = f"SYNAPSE_STREAM_{name}"

    with pytest.raises(ConfigError, match=variable) as caught:
        Settings.load({variable: url})

    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", IN_DOUBT)
def test_what_opens_a_url_in_doubt_refuses_it_without_showing_it(url: str) -> None:
    for opening in (parse_url, open_postgres):
        with pytest.raises(ConfigError) as caught:
            opening(url)
        assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("url", "shown"), READABLE)
def test_settings_show_urls_without_their_secrets(url: str, shown: str) -> None:
    settings = Settings().model_copy(update=dict.fromkeys(("redis_url", "store_url"), url))

    assert [settings.masked()[name] for name in ("redis_url", "store_url")] == [shown] * 2
    assert SECRET not in repr(settings) + str(settings)


@pytest.mark.parametrize(("url", "_"), READABLE)
def test_what_a_library_says_is_shown_without_secrets(url: str, _: str) -> None:
    for secret in secrets_of(url):
        assert secret not in without_secrets(f"AUTH, with args: 'u' '{secret}'", url)
    assert any(SECRET in secret for secret in secrets_of(url)) == (SECRET in url)
    assert without_secrets("refused by h", url) == "refused by h"
    assert without_secrets(f"no port {SECRET}", f"redis://:p/{SECRET}@h") == HOW_TO_WRITE


def test_a_server_that_repeats_the_password_is_quoted_without_it() -> None:
    class Repeating:
        def execute_command(self, *_: Any, **__: Any) -> Any:
            raise ResponseError(f"unknown command 'AUTH', with args beginning with: '{SECRET}'")

        def close(self) -> None: ...

    log = EventLog(Repeating(), Keys("synapse", 16), "redis://h", url=f"redis://:{SECRET}@h")
    with pytest.raises(LogUnavailable) as caught:
        log.check()

    assert SECRET not in str(caught.value)
    assert "AUTH" in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_database_that_repeats_the_password_is_quoted_without_it() -> None:
    error = OperationalError("SELECT", {}, Exception(f"login of u with {SECRET} failed"))

    said = translate(error, "postgresql://h/db", "reading", f"postgresql://u:{SECRET}@h/db")

    assert SECRET not in str(said)


def test_logs_hide_what_a_traceback_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNAPSE_STREAM_STORE_URL", f"postgresql://u:{SECRET}@h/db")
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        record = logging.LogRecord(
            "x", 40, "", 1, f"fault {SECRET}", (), (ValueError, error, error.__traceback__)
        )

    line = JsonLines("api", _hide).format(record)

    assert SECRET not in line
    assert "ValueError: ***" in line
