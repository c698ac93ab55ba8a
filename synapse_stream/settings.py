"""Settings: one typed class, read from `SYNAPSE_STREAM_*` environment variables.

Plain pydantic on purpose: importing pydantic-settings would cost a plugin 260 ms.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from synapse_stream import places
from synapse_stream.errors import ConfigError
from synapse_stream.masking import HIDDEN, HOW_TO_WRITE, is_readable, mask_url
from synapse_stream.redaction.body import compiled

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PREFIX = "SYNAPSE_STREAM_"
MIB = 1024 * 1024
URL_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
)
STORE_SCHEMES = ("postgresql", "sqlite")

_ORIGINS = r"^https?://[^\s,/*]+(,https?://[^\s,/*]+)*$"
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """What can be set; each field is the environment variable `SYNAPSE_STREAM_<FIELD>`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    redis_url: str | None = None
    """Server of the streams; None: the embedded server of `data_dir`."""
    store_url: str | None = None
    """Where the views are: `postgresql://…`, or a folder of SQLite files, `sqlite:///relative/path`
    or `sqlite:////absolute/path`; None: `data_dir`/views."""
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = "synapse"
    """Prefix of every key; deployments with different namespaces can share a server."""
    partitions: Annotated[int, Field(ge=1, le=4096)] = 16
    """Number of feeds; fixed when the deployment is first used."""
    job_id: str | None = None
    """Job of `open_run()` when the call names none."""
    data_dir: Path = Field(default_factory=places.data_dir)
    """Home of the embedded server and, unless `spool_dir` is set, of the spool."""
    spool_dir: Path | None = None
    """Where events wait on disk; None: `data_dir`/spool."""
    spool_max_bytes: Annotated[int, Field(ge=16 * MIB)] = 1024 * MIB
    """Largest spool of one process; beyond it dev events are shed first, then metrics and
    progress."""
    spool_memory_bytes: Annotated[int, Field(ge=0)] = 64 * MIB
    """Part of it that may lie in shared memory; 0 uses the disk only."""
    rewind_bytes: Annotated[int, Field(ge=0)] = 256 * MIB
    """How much the spool keeps after the server acknowledged it, in case the server loses its
    tail."""
    rewind_seconds: Positive = 600.0
    """How long it keeps that."""
    connect_seconds: Positive = 2.0
    """Longest wait for a connection or an answer before the shipper tries again."""
    exit_wait_seconds: Annotated[float, Field(ge=0)] = 5.0
    """Longest wait at the end of a run for what is not yet acknowledged."""
    heartbeat_seconds: Positive = 15.0
    """A run that reports nothing for that long gives a sign of life."""

    strict: bool = False
    """Wrong values of report calls raise; else they are kept as dev events, counted and said."""

    redact_rules: str | None = None
    """Regular expressions whose matches are masked in every report, beside the known forms of keys
    and what a name tells: a JSON list, or `@` and a file with one a line."""

    lease_seconds: Positive = 10.0
    """How long a consumer that is not heard of keeps its partitions."""
    hot_seconds: Annotated[float, Field(ge=0)] = 3600.0
    """How long entries stay in the streams, for live readers, when all projections have them. A
    stream of which nothing is left then, as of a run that has ended, is dropped."""
    hot_bytes: Annotated[int, Field(ge=0)] = 512 * MIB
    """A server that uses more memory keeps them no longer than `rewind_seconds`."""
    archive_seconds: Positive | None = None
    """Runs that have reported nothing for that long are removed from the archive; None: none."""
    archive_bytes: Annotated[int, Field(gt=0)] | None = None
    """The oldest runs are removed from the archive while it holds more; None: no limit."""
    api_tokens: SecretStr | None = None
    """Who may use the HTTP API beyond this machine: a JSON list of
    `{"name": …, "role": "viewer|developer|operator", "token": …, "jobs": pattern}`, or `@` and the
    file that holds it. A token has 128 bits or more; in its place may stand `sha256`, its hash in
    hex. `jobs` and `expires`, a time, may be left out. Without any, a token is made for this
    machine, in `data_dir`/api.token."""
    api_origins: Annotated[str, Field(pattern=_ORIGINS)] | None = None
    """Other sites whose pages may read the API with a token: `https://host:port`, several joined by
    commas; None: only its own."""
    anchors: Path | str | None = None
    """Where the anchors are, signed checkpoints of archived runs: a folder, or a database that is
    not the store's, `postgresql://…` or `sqlite:////absolute/file`; None: none are written."""
    signing_key: SecretStr | None = None
    """Ed25519 private key in PEM that signs them, or `@` and the file that holds it."""
    verify_keys: str | None = None
    """Public keys, 64 hex digits each, that `verify` believes beside that of `signing_key`; or `@`
    and the file that holds them."""
    anchor_batches: Annotated[int, Field(ge=1)] = 1_000
    """A run that goes on is anchored every so many batches; one that pauses, at once."""

    @field_validator("data_dir", "spool_dir")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return path and places.absolute(path)

    @field_validator("redact_rules")
    @classmethod
    def _rules_that_compile(cls, rules: str | None) -> str | None:
        compiled(rules)
        return rules

    @field_validator("anchors")
    @classmethod
    def _folder_or_url(cls, place: Path | str | None) -> Path | str | None:
        if isinstance(place, str) and "://" in place:
            return cls._known_store(place)
        return place and cls._absolute(Path(place))

    @field_validator("redis_url")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None and _scheme(url) not in URL_SCHEMES:
            msg = f"the scheme must be one of {', '.join(URL_SCHEMES)}"
            raise ValueError(msg)
        return url

    @field_validator("store_url")
    @classmethod
    def _known_store(cls, url: str | None) -> str | None:
        if url is not None and _scheme(url) not in STORE_SCHEMES:
            msg = f"the scheme must be one of {', '.join(STORE_SCHEMES)}"
            raise ValueError(msg)
        return url

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return self.masked().items()

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Read the environment; an override that is not None wins.

        Raises:
            ConfigError: a value is not allowed; the message names the variable. An unknown variable
                with our prefix is left alone: other versions and the server have their own.
        """
        environ = os.environ if environ is None else environ
        found: dict[str, Any] = {
            name: environ[PREFIX + name.upper()]
            for name in cls.model_fields
            if environ.get(PREFIX + name.upper())
        }
        found.update({name: value for name, value in overrides.items() if value is not None})
        try:
            settings = cls(**found)
        except ValidationError as error:
            raise ConfigError("; ".join(_explain(problem) for problem in error.errors())) from None
        for name in ("redis_url", "store_url", "anchors"):
            url = getattr(settings, name)
            if isinstance(url, str) and not is_readable(url):
                shown = f"{PREFIX}{name.upper()}={mask_url(url)!r}"
                msg = f"{shown} is not allowed: {HOW_TO_WRITE}"
                raise ConfigError(msg)
        return settings

    @property
    def token_file(self) -> Path:
        """Holds the token of the API of this machine, where no other tokens are set."""
        return self.data_dir / "api.token"

    @property
    def spool_root(self) -> Path:
        """Directory that holds one spool a producer."""
        return self.spool_dir or self.data_dir / "spool"

    @property
    def server(self) -> str:
        """Name of the server for people, without its password."""
        if self.redis_url:
            return mask_url(self.redis_url)
        return f"the embedded server of {os.fsencode(self.data_dir).decode(errors='replace')}"

    def masked(self) -> dict[str, str | None]:
        """Return every setting as text: URLs by scheme, host and name, tokens and keys as `***`."""
        shown = {name: getattr(self, name) for name in type(self).model_fields}
        shown["redis_url"] = mask_url(self.redis_url) if self.redis_url else None
        shown["store_url"] = mask_url(self.store_url) if self.store_url else None
        if isinstance(self.anchors, str):
            shown["anchors"] = mask_url(self.anchors)
        shown["api_tokens"] = "***" if self.api_tokens else None
        shown["signing_key"] = "***" if self.signing_key else None
        return {name: None if value is None else str(value) for name, value in shown.items()}


_SECRETS = {f"{PREFIX}{name}" for name in ("API_TOKENS", "SIGNING_KEY")}


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _explain(problem: Any) -> str:
    name = PREFIX + ".".join(str(part) for part in problem["loc"]).upper()
    value = problem["input"]
    if name in _SECRETS:
        value = HIDDEN
    elif isinstance(value, str) and (name.endswith("_URL") or "://" in value):
        value = mask_url(value)
    return f"{name}={value!r} is not allowed: {problem['msg']}"
