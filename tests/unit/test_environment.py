from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from synapse_stream.errors import ConfigError
from synapse_stream.reporting.environment import PluginEnvironment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def env() -> PluginEnvironment:
    return PluginEnvironment(
        {"STORAGE_PATH": "/data", "api_url": "https://api", "RETRIES": "3", "RATE": "0.5"}
    )


def test_an_attribute_is_looked_up_as_written_and_then_in_capitals(env: PluginEnvironment) -> None:
    both = PluginEnvironment({"name": "small", "NAME": "large"})

    assert (env.api_url, env.storage_path, env.STORAGE_PATH) == ("https://api", "/data", "/data")
    assert (both.name, both.NAME) == ("small", "large")


def test_a_missing_attribute_names_near_ones(env: PluginEnvironment) -> None:
    with pytest.raises(AttributeError, match=r"no 'storage_pat'; near: STORAGE_PATH"):
        env.storage_pat  # noqa: B018
    with pytest.raises(AttributeError, match=r"no 'zzz'$"):
        env.zzz  # noqa: B018
    assert not hasattr(env, "API_URL")


def test_items_and_get_use_the_same_lookup(env: PluginEnvironment) -> None:
    assert env["storage_path"] == "/data"
    assert env.get("storage_path") == "/data"
    assert env.get("missing") is None
    assert env.get("missing", 5) == 5
    assert "storage_path" in env
    assert "missing" not in env
    assert 5 not in env
    with pytest.raises(KeyError, match="near: api_url"):
        env["api_ur"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False), ("", False), ("true", True), (" ON ", True), ("1", True), ("0", False),
        ("false", False), ("app:*", False), (True, True), (0, False),
    ],
)  # fmt: skip
def test_debug_is_on_only_by_a_word_of_consent(value: Any, expected: bool) -> None:
    env = PluginEnvironment({} if value is None else {"DEBUG": value})

    assert env.debug is expected


def test_numbers_are_read_from_text(env: PluginEnvironment) -> None:
    assert env.get_int("retries") == 3
    assert env.get_int("missing") is None
    assert env.get_int("missing", 7) == 7
    assert env.get_float("rate") == 0.5
    assert env.get_float("retries") == 3.0
    assert env.get_float("missing", 1.5) == 1.5
    assert PluginEnvironment({"n": 4.0}).get_int("n") == 4


@pytest.mark.parametrize("value", ["three", "3.5", "", 3.5, True, float("nan"), [1]])
def test_a_bad_whole_number_names_key_and_value(value: Any) -> None:
    with pytest.raises(ValueError, match="retries=") as raised:
        PluginEnvironment({"RETRIES": value}).get_int("retries")

    assert repr(value) in str(raised.value)


def test_a_bad_number_names_key_and_value() -> None:
    with pytest.raises(ValueError, match="rate='fast' is no number"):
        PluginEnvironment({"rate": "fast"}).get_float("rate")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("TRUE", True), ("yes", True), ("on", True), (1, True), ("no", False), ("Off", False),
     ("", False), (False, False)],
)  # fmt: skip
def test_truth_has_many_words(value: Any, expected: bool) -> None:
    assert PluginEnvironment({"flag": value}).get_bool("flag") is expected


def test_other_words_are_no_truth() -> None:
    env = PluginEnvironment({"flag": "maybe"})

    with pytest.raises(ValueError, match="flag='maybe'"):
        env.get_bool("flag")
    assert env.get_bool("missing") is False
    assert env.get_bool("missing", default=True) is True


def test_lists_are_split_at_commas() -> None:
    env = PluginEnvironment({"hosts": "a, b,,c ", "toml": [1, 2], "one": 5})

    assert env.get_list("hosts") == ["a", "b", "c"]
    assert env.get_list("toml") == [1, 2]
    assert env.get_list("one") == [5]
    assert env.get_list("missing") == []
    assert env.get_list("missing", ["x"]) == ["x"]


def test_text_is_whatever_the_value_prints_as() -> None:
    env = PluginEnvironment({"n": 5})

    assert env.get_str("n") == "5"
    assert env.get_str("missing") is None
    assert env.get_str("missing", "x") == "x"


def test_a_prefix_selects_variables_and_is_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_API_URL", "https://api")
    monkeypatch.setenv("PLUGIN_", "nameless")
    monkeypatch.setenv("OTHER", "x")

    env = PluginEnvironment.from_environ("PLUGIN_")

    assert env.to_dict() == {"API_URL": "https://api"}
    assert PluginEnvironment.from_environ().other == "x"


def test_a_toml_file_keeps_its_types(tmp_path: Path) -> None:
    file = tmp_path / "env.toml"
    file.write_text('debug = true\nretries = 3\nhosts = ["a"]\n[storage]\npath = "/한국어"\n')

    env = PluginEnvironment.from_file(file)

    assert (env.debug, env.retries, env.hosts) == (True, 3, ["a"])
    assert env.storage["path"] == "/한국어"


@pytest.mark.parametrize("content", [b"no toml", b"\xff"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "env.toml"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match=r"env\.toml is no TOML"):
        PluginEnvironment.from_file(file)


def test_merging_prefers_the_other_in_any_case_and_changes_neither(env: PluginEnvironment) -> None:
    merged = env.merge({"storage_path": "/other", "API_URL": "x", "new": 1})

    assert (merged.storage_path, merged.api_url, merged.new) == ("/other", "x", 1)
    assert merged.retries == "3"
    assert env.storage_path == "/data"
    assert env.merge(PluginEnvironment({"retries": 9})).retries == 9


def test_an_environment_is_copied_pickled_and_listed(env: PluginEnvironment) -> None:
    for twin in (copy.copy(env), copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
        assert twin.to_dict() == env.to_dict()
        assert twin.storage_path == "/data"
    assert list(env) == ["STORAGE_PATH", "api_url", "RETRIES", "RATE"]
    assert len(env) == 4


def test_changing_what_it_was_made_from_changes_nothing() -> None:
    values = {"a": 1}
    env = PluginEnvironment(values)

    values["a"] = 2
    env.to_dict()["a"] = 3

    assert env.a == 1


def test_its_repr_shows_names_and_no_values() -> None:
    env = PluginEnvironment({"PASSWORD": "hunter2", "A": 1})

    assert repr(env) == "PluginEnvironment(A, PASSWORD)"
