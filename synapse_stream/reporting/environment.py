"""What a plugin is told about the place where it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class PluginEnvironment:
    """Named values that do not change: `env.storage_path`, `env["storage_path"]`.

    A name is looked up as it is written and then in capitals, so `env.storage_path` finds
    `STORAGE_PATH`. Names that are methods here (`get`, `merge`, …) are reached by `env["get"]`
    only.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    @classmethod
    def from_environ(cls, prefix: str = "") -> PluginEnvironment:
        """Take the environment variables that start with `prefix`, under their names without it."""
        return cls(
            {
                name[len(prefix) :]: value
                for name, value in os.environ.items()
                if name.startswith(prefix) and name != prefix
            }
        )

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> PluginEnvironment:
        """Read a TOML file; its top-level keys are the names, with the types that TOML gives them.

        Raises:
            OSError: the file cannot be read.
            ConfigError: it is no TOML.
        """
        import tomllib  # noqa: PLC0415 - most plugins read no file

        try:
            return cls(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except ValueError as error:  # also text that is no UTF-8
            msg = f"{os.fspath(path)} is no TOML file: {error}"
            raise ConfigError(msg) from error

    @classmethod
    def of(cls, env: PluginEnvironment | Mapping[str, Any] | None) -> PluginEnvironment:
        """Return `env` itself, a mapping as an environment, for None the variables."""
        if env is None:
            return cls.from_environ()
        return env if isinstance(env, PluginEnvironment) else cls(env)

    def merge(self, other: PluginEnvironment | Mapping[str, Any]) -> PluginEnvironment:
        """Return both as a new environment; where both have a name, in any case, `other` wins."""
        added = other.to_dict() if isinstance(other, PluginEnvironment) else dict(other)
        replaced = {name.upper() for name in added}
        kept = {name: value for name, value in self._values.items() if name.upper() not in replaced}
        return PluginEnvironment(kept | added)

    def to_dict(self) -> dict[str, Any]:
        """Return a copy under the names as they were given."""
        return dict(self._values)

    @property
    def debug(self) -> bool:
        """True when DEBUG is set to true, 1, yes or on; anything else is False."""
        value = self.get("debug", False)
        return value.strip().lower() in _TRUE if isinstance(value, str) else bool(value)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value as it was given, or `default` when there is none."""
        return self._values[key] if (key := self._key(name)) is not None else default

    @overload
    def get_str(self, name: str) -> str | None: ...
    @overload
    def get_str(self, name: str, default: str) -> str: ...
    def get_str(self, name: str, default: str | None = None) -> str | None:
        """Return the value as text."""
        value = self.get(name)
        return default if value is None else str(value)

    @overload
    def get_int(self, name: str) -> int | None: ...
    @overload
    def get_int(self, name: str, default: int) -> int: ...
    def get_int(self, name: str, default: int | None = None) -> int | None:
        """Return the value as a whole number.

        Raises:
            ValueError: it is none; the message names the key and the value.
        """
        value = self.get(name)
        if value is None:
            return default
        number = _whole(value)
        if number is None:
            msg = f"{name}={value!r} is no whole number"
            raise ValueError(msg)
        return number

    @overload
    def get_float(self, name: str) -> float | None: ...
    @overload
    def get_float(self, name: str, default: float) -> float: ...
    def get_float(self, name: str, default: float | None = None) -> float | None:
        """Return the value as a number.

        Raises:
            ValueError: it is none; the message names the key and the value.
        """
        value = self.get(name)
        if value is None:
            return default
        try:
            return float(value)
        except (TypeError, ValueError):
            msg = f"{name}={value!r} is no number"
            raise ValueError(msg) from None

    def get_bool(self, name: str, default: bool = False) -> bool:  # noqa: FBT001, FBT002 - as get_int
        """Return true, 1, yes, on as True and false, 0, no, off and empty text as False.

        Raises:
            ValueError: it is something else; the message names the key and the value.
        """
        value = self.get(name)
        if value is None:
            return default
        word = str(value).strip().lower()
        if word not in _TRUE | _FALSE:
            msg = f"{name}={value!r} is neither true, 1, yes, on nor false, 0, no, off"
            raise ValueError(msg)
        return word in _TRUE

    def get_list(self, name: str, default: list[Any] | None = None) -> list[Any]:
        """Return a list; text is split at commas, without blanks and empty parts."""
        value = self.get(name)
        if value is None:
            return list(default or [])
        if isinstance(value, str):
            return [part for part in (part.strip() for part in value.split(",")) if part]
        return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]

    def __getitem__(self, name: str) -> Any:
        key = self._key(name)
        if key is None:
            raise KeyError(self._missing(name))
        return self._values[key]

    def __getattr__(self, name: str) -> Any:
        # Underscored names are questions of copy and pickle, also before `_values` is there.
        if name.startswith("_"):
            raise AttributeError(name)
        key = self._key(name)
        if key is None:
            raise AttributeError(self._missing(name))
        return self._values[key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._key(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        # Never the values: an environment is full of secrets, and a repr ends in logs.
        return f"PluginEnvironment({', '.join(sorted(map(str, self._values)))})"

    def _key(self, name: str) -> str | None:
        if name in self._values:
            return name
        return upper if (upper := name.upper()) in self._values else None

    def _missing(self, name: str) -> str:
        from difflib import get_close_matches  # noqa: PLC0415 - for mistakes only

        folded = {str(key).lower(): str(key) for key in self._values}
        near = [folded[match] for match in get_close_matches(name.lower(), folded, n=3)]
        hint = f"; near: {', '.join(near)}" if near else ""
        return f"the plugin's environment has no {name!r}{hint}"


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
