"""Settings: one typed class, read from `SYNAPSE_STREAM_*` environment variables.

A plain class on purpose: a plugin that reports ten lines would pay more for pydantic's models than
for all that it does here. What a setting may be stands in its type, by name; `checks` knows them.
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from synapse_stream.errors import ConfigError
from synapse_stream.redaction.urls import HIDDEN, HOW_TO_WRITE, is_readable, mask_url
from synapse_stream.settings import places
from synapse_stream.settings.checks import (
    CHECKS,
    Bytes,
    Count,
    Hosts,
    Name,
    Origins,
    Partitions,
    Positive,
    Seconds,
    SpoolBytes,
)
from synapse_stream.settings.urls import known_api, known_door, known_server, known_store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pydantic import SecretStr

PREFIX = "SYNAPSE_STREAM_"
MIB = 1024 * 1024
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the directory made in it is private and its owner checked


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """What can be set; each field is the environment variable `SYNAPSE_STREAM_<FIELD>`."""

    model_fields: ClassVar[tuple[str, ...]]
    """Names of the settings."""

    redis_url: str | None = None
    """Server of the streams; None: the embedded server of `data_dir`."""
    url: str | None = None
    """The HTTP API of a deployment, `https://…`, that plugins report to, and readers ask, in place
    of `redis_url`."""
    token: str | None = None
    """What they prove themselves by there; or `@` and the file that holds it, which is read anew
    when it has changed."""
    ca_file: Path | None = None
    """Certificates of the authorities that are believed there, in PEM; None: the system's."""
    page_url: str | None = None
    """Where people see the deployment's page, `https://…`: a run says its own address there when it
    starts, and `open` leads to it; None: neither is said, and `open` takes `url`."""
    store_url: str | None = None
    """Where the views are: `postgresql://…`, or a folder of SQLite files, `sqlite:///relative/path`
    or `sqlite:////absolute/path`; None: `data_dir`/views."""
    namespace: Name = "synapse"
    """Prefix of every key; deployments with different namespaces can share a server."""
    partitions: Partitions = 16
    """Number of feeds; fixed when the deployment is first used."""
    job_id: str | None = None
    """Job of `open_run()` when the call names none."""
    data_dir: Path = field(default_factory=places.data_dir)
    """Home of the embedded server and, unless `spool_dir` is set, of the spool."""
    spool_dir: Path | None = None
    """Where events wait on disk; None: `data_dir`/spool."""
    spool_max_bytes: SpoolBytes = 1024 * MIB
    """Largest spool of one process; beyond it dev events are shed first, then metrics and
    progress."""
    spool_memory_bytes: Bytes = 64 * MIB
    """Part of it that may lie in shared memory; 0 uses the disk only."""
    memory_dir: Path = SHARED_MEMORY
    """Where shared memory is."""
    quota_bytes_a_second: Bytes = 4 * MIB
    """What a process may report, as a mean over a minute; beyond it dev events are given up, then
    metrics and progress but for the newest, and at thrice of it everything; 0: no limit."""
    rewind_bytes: Bytes = 256 * MIB
    """How much the spool keeps after the server acknowledged it, in case the server loses its
    tail."""
    rewind_seconds: Positive = 600.0
    """How long it keeps that."""
    adopt_unproved_seconds: Positive = 86_400.0
    """After how long without a sign of it a spool is sent by others whose process may live on
    another host, or of which a part may be elsewhere; then with a `loss` that says so."""
    connect_seconds: Positive = 2.0
    """Longest wait for a connection or an answer before the shipper tries again."""
    exit_wait_seconds: Seconds = 5.0
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
    hot_seconds: Seconds = 3600.0
    """How long entries stay in the streams, for live readers, when all projections have them. A
    stream of which nothing is left then, as of a run that has ended, is dropped."""
    hot_bytes: Bytes = 512 * MIB
    """A server that uses more memory keeps them no longer than `rewind_seconds`."""
    archive_seconds: Positive | None = None
    """Runs that have reported nothing for that long are removed from the archive; None: none."""
    archive_bytes: Count | None = None
    """The oldest runs are removed from the archive while it holds more; None: no limit."""
    archive_floor_seconds: Seconds = 0.0
    """Runs that have reported something within that time stay, whatever the two above say."""
    api_tokens: SecretStr | None = None
    """Who may use the HTTP API beyond this machine: a JSON list of
    `{"name": …, "role": "viewer|developer|operator", "token": …, "jobs": pattern}`, or `@` and the
    file that holds it. A token has 128 bits or more; in its place may stand `sha256`, its hash in
    hex. `jobs` and `expires`, a time, may be left out. Without any, a token is made for this
    machine, in `data_dir`/api.token."""
    token_secret: SecretStr | None = None
    """What tokens are signed with, 32 characters or more: the same for every API process of a
    deployment, and for who makes tokens without asking it; or `@` and the file that holds it. None:
    one that is made, in `data_dir`/api.key."""
    api_origins: Origins | None = None
    """Other sites whose pages may read the API with a token: `https://host:port`, several joined by
    commas; None: only its own."""
    api_proxies: Hosts | None = None
    """Proxies before the API, which are believed whose request they pass on (`X-Forwarded-For`): IP
    addresses or networks, joined by commas; None: nobody is believed."""
    synapse_backend: str | None = None
    """The real backend of Synapse plugins that report to the API in its place: what they ask for
    besides is passed on to it; None: they are told that it is not here."""
    anchors: Path | None = None
    """A folder with the logs of anchors, which vouch for archived runs; None: none is kept."""
    signing_key: SecretStr | None = None
    """Ed25519 private key in PEM that signs them, or `@` and the file that holds it: of the notary
    alone."""
    verify_keys: str | None = None
    """Public keys, 64 hex digits each, that `verify` believes beside that of `signing_key`; or `@`
    and the file that holds them."""
    witnesses: str | None = None
    """Verifier keys of witnesses of the log, each followed by its address if it has one; or `@` and
    the file that holds them."""
    max_unanchored_seconds: Positive = 60.0
    """How often a run that goes on is anchored, at least; its begin and its end are at once."""
    sign_off_key: SecretStr | None = None
    """Ed25519 private key in PEM that runs are signed off with, or `@` and its file."""
    sign_off_keys: str | None = None
    """Public keys, 64 hex digits each, whose sign-offs `verify` believes; or `@` and their file."""

    def __post_init__(self) -> None:
        wrong = []
        for each in fields(self):
            value = getattr(self, each.name)
            try:
                checked = _checked(each.name, str(each.type), value)
            except (ValueError, TypeError) as error:
                wrong.append(_explain(each.name, value, error))
            else:
                object.__setattr__(self, each.name, checked)
        if self.url and self.redis_url:
            wrong.append(f"{PREFIX}URL and {PREFIX}REDIS_URL are both set; leave one of them out")
        if wrong:
            raise ConfigError("; ".join(wrong))

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
        settings = cls(**found)
        for name in ("redis_url", "url", "store_url"):
            url = getattr(settings, name)
            if isinstance(url, str) and not is_readable(url):
                shown = f"{PREFIX}{name.upper()}={mask_url(url)!r}"
                msg = f"{shown} is not allowed: {HOW_TO_WRITE}"
                raise ConfigError(msg)
        return settings

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Settings:
        """Return a copy with some settings changed; they are taken as they are."""
        copied = copy.copy(self)
        for name, value in (update or {}).items():
            object.__setattr__(copied, name, value)
        return copied

    def model_dump(
        self,
        *,
        exclude_none: bool = False,
        exclude_unset: bool = False,
        exclude: Collection[str] = (),
    ) -> dict[str, Any]:
        """Return the settings by name, all or only those that are not as if nothing were set."""
        unset = vars(Settings()) if exclude_unset else {}
        shown = {name: getattr(self, name) for name in self.model_fields if name not in exclude}
        return {
            name: value
            for name, value in shown.items()
            if not (name in unset and unset[name] == value) and not (exclude_none and value is None)
        }

    @property
    def token_file(self) -> Path:
        """Holds the token of the API of this machine, where no other tokens are set."""
        return self.data_dir / "api.token"

    @property
    def spool_root(self) -> Path:
        """Directory that holds one spool a producer."""
        return self.spool_dir or self.data_dir / "spool"

    @property
    def has_server(self) -> bool:
        """True when a server is named, by whichever URL."""
        return bool(self.url or self.redis_url)

    @property
    def server(self) -> str:
        """Name of the server for people, without its password."""
        named = self.url or self.redis_url
        if named:
            return mask_url(named)
        return f"the embedded server of {os.fsencode(self.data_dir).decode(errors='replace')}"

    def masked(self) -> dict[str, str | None]:
        """Return every setting as text: URLs by scheme, host and name, tokens and keys as `***`."""
        shown = {name: getattr(self, name) for name in self.model_fields}
        for name in ("redis_url", "url", "store_url"):
            shown[name] = mask_url(shown[name]) if shown[name] else None
        shown |= {name: HIDDEN for name in _SECRETS if shown[name]}
        return {name: None if value is None else str(value) for name, value in shown.items()}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.masked().items())
        return f"Settings({shown})"


Settings.model_fields = tuple(each.name for each in fields(Settings))

_SECRETS = {"api_tokens", "sign_off_key", "signing_key", "token", "token_secret"}


def _absolute(path: Path | None) -> Path | None:
    return path and places.absolute(path)


def _rules_that_compile(rules: str | None) -> str | None:
    if rules:
        from synapse_stream.redaction.body import compiled  # noqa: PLC0415 - few have rules

        compiled(rules)
    return rules


_FURTHER_CHECKS: dict[str, Callable[[Any], Any]] = {
    "data_dir": _absolute,
    "spool_dir": _absolute,
    "memory_dir": _absolute,
    "redact_rules": _rules_that_compile,
    "anchors": _absolute,
    "redis_url": known_server,
    "url": known_door,
    "page_url": known_api,
    "synapse_backend": known_api,
    "ca_file": _absolute,
    "store_url": known_store,
}


def _checked(name: str, kind: str, value: Any) -> Any:
    further = _FURTHER_CHECKS.get(name)
    checked = CHECKS[kind](value)
    return further(checked) if further else checked


def _explain(name: str, value: Any, error: Exception) -> str:
    if name in _SECRETS:
        value = HIDDEN
    elif isinstance(value, str) and (name.endswith("_url") or "://" in value):
        value = mask_url(value)
    return f"{PREFIX}{name.upper()}={value!r} is not allowed: {error}"
