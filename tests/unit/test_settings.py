"""What a setting may be, as text from the environment and as a value from a program."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from synapse_stream.errors import ConfigError
from synapse_stream.settings import MIB, PREFIX, Settings


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("partitions", "8", 8),
        ("partitions", 8.0, 8),
        ("spool_max_bytes", str(16 * MIB), 16 * MIB),
        ("rewind_seconds", "0.5", 0.5),
        ("exit_wait_seconds", "0", 0.0),
        ("strict", "yes", True),
        ("strict", "0", False),
        ("spool_dir", "/some/where", Path("/some/where")),
        ("anchors", "/some/where", Path("/some/where")),
        ("api_tokens", "[]", SecretStr("[]")),
        ("archive_seconds", None, None),
        ("api_origins", "https://a:1,http://b", "https://a:1,http://b"),
        ("api_proxies", "10.0.0.0/8, ::1", "10.0.0.0/8,::1/128"),
    ],
)
def test_a_setting_is_converted_to_what_it_is(name: str, given: Any, taken: Any) -> None:
    found = getattr(Settings(**{name: given}), name)

    assert found == taken
    assert type(found) is type(taken)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("partitions", "many"),
        ("partitions", "0"),
        ("partitions", 4097),
        ("partitions", 1.5),
        ("namespace", "a b"),
        ("namespace", ""),
        ("namespace", "a\n"),
        ("spool_max_bytes", 1),
        ("rewind_seconds", "0"),
        ("rewind_seconds", "nan"),
        ("rewind_seconds", "inf"),
        ("exit_wait_seconds", -1),
        ("strict", "perhaps"),
        ("redis_url", "http://host"),
        ("store_url", "mysql://host"),
        ("data_dir", 7),
        ("data_dir", None),
        ("job_id", 7),
        ("api_origins", "https://*"),
        ("api_proxies", "*"),
        ("api_proxies", "10.0.0.1/8"),
        ("api_proxies", "proxy.example"),
        ("redact_rules", "["),
    ],
)
def test_what_a_setting_cannot_be_is_named_with_its_variable(name: str, given: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{PREFIX}{name.upper()}="):
        Settings(**{name: given})


def test_all_that_is_wrong_is_said_at_once_and_no_secret_is() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.load({PREFIX + "PARTITIONS": "x", PREFIX + "REDIS_URL": "http://u:hidden@h"})

    assert "PARTITIONS" in str(caught.value)
    assert "REDIS_URL" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_settings_do_not_change_and_can_be_copied_compared_and_pickled() -> None:
    settings = Settings(partitions=3)
    with pytest.raises(AttributeError):
        settings.partitions = 4  # type: ignore[misc]

    changed = settings.model_copy(update={"partitions": 4})

    assert (settings.partitions, changed.partitions) == (3, 4)
    assert settings != changed
    assert pickle.loads(pickle.dumps(changed)) == changed
    assert changed.model_dump(exclude_unset=True) == {"partitions": 4}
    assert set(changed.model_dump()) == set(Settings.model_fields)
