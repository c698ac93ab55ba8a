from __future__ import annotations

import pytest

from synapse_stream.errors import ConfigError
from synapse_stream.settings import Settings, mask_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://user@host", "redis://user@host"),
        ("redis://user:secret@host:6379", "redis://user:***@host:6379"),
        ("redis://:se:cr@et@host", "redis://:***@host"),
        ("redis+cluster://u:secret@a:1,b:2", "redis+cluster://u:***@a:1,b:2"),
        ("unix:///tmp/socket?password=secret&db=1", "unix:///tmp/socket?password=***&db=1"),
        ("redis://u:secret@[::1", "redis://u:***@[::1"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    assert mask_url(url) == shown


def test_a_malformed_url_is_a_config_error_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"SYNAPSE_STREAM_REDIS_URL") as caught:
        Settings.load({"SYNAPSE_STREAM_REDIS_URL": "redis://u:secret@[::1"})

    assert "secret" not in str(caught.value)
