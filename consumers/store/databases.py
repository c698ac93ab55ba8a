"""Which database holds a projection's views: a SQLite file each, or one PostgreSQL for all."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from consumers.errors import StoreDamaged, StoreUnavailable
from consumers.store import jobs
from consumers.store.empty import empty_database
from consumers.store.engine import CACHE_BYTES, open_postgres, open_sqlite, sqlite_path
from consumers.store.migrate import has_schema, prepare
from consumers.store.sqlite_file import identity
from consumers.store.sweeping import sweep
from synapse_stream.entries.keys import Keys
from synapse_stream.errors import ConfigError
from synapse_stream.redaction.urls import mask_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from consumers.store.engine import Database
    from consumers.store.table import Table
    from synapse_stream.settings import Settings


class Fault(NamedTuple):
    """What is wrong with the database of a projection."""

    text: str
    file: str | None
    """The file that is damaged; None when it is something else."""


class Databases:
    """The databases of a deployment; each is opened, and migrated if need be, when first asked for.

    One is made by who writes there first.

    May be used from several threads.
    """

    def __init__(
        self,
        settings: Settings,
        projections: Sequence[str],
        table_of: Callable[[str], Table],
        record: str,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        """Know the projections of a deployment.

        Args:
            settings: of the deployment.
            projections: their names.
            table_of: returns the table of a projection.
            record: the projection that has all jobs, whatever the others have.
            cache_bytes: how much of a SQLite file a connection keeps in memory.

        Raises:
            ConfigError: the URL of the store is wrong.
        """
        self.table = table_of
        self.record = record
        self._projections = projections
        self._settings = settings
        self._cache_bytes = cache_bytes
        self._opened: dict[str, Database] = {}
        self._files: dict[str, tuple[int, int] | None] = {}
        self._together: dict[str, list[tuple[int, int] | None]] = {}
        self._lock = Lock()
        url = settings.store_url
        self._shared = open_postgres(url) if url and url.startswith("postgresql:") else None
        self._folder = _folder(settings)

    def of(self, projection: str) -> Database:
        """Return the database of a projection, made if need be.

        Raises:
            ConfigError: its schema is newer than this program, or its views are of other streams.
            StoreUnavailable: it cannot be reached.
        """
        with self._lock:
            place = "" if self._shared else projection
            database = self._opened.get(place)
            if database is not None and self._is_replaced(place):
                self._drop(place)
                database = None
            if database is None:
                database = self._shared or open_sqlite(
                    self._file(projection),
                    page_bytes=self.table(projection).page_bytes,
                    cache_bytes=self._cache_bytes,
                )
                try:
                    holds_record = self._shared is not None or projection == self.record
                    prepare(database, self._settings, projection, holds_record=holds_record)
                except BaseException:
                    database.close()
                    raise
                self._opened[place] = database
                if not self._shared:
                    self._files[place] = identity(self._file(place))
            return database

    def joined(self, projection: str, other: str) -> Database:
        """Return the database of a projection with what another one has, for reading both at once.

        On SQLite the tables of the other one are found under its name.

        Raises:
            ConfigError, StoreUnavailable: as `of`.
        """
        database = self.of(projection)
        self.of(other)
        if self._shared is not None:
            return database
        place, files = f"{projection} {other}", (self._file(projection), self._file(other))
        with self._lock:
            now = [identity(file) for file in files]
            if self._together.get(place) != now:
                self._drop(place)
                self._together[place] = now
                self._opened[place] = open_sqlite(files[0], beside=(other, files[1]))
            return self._opened[place]

    @contextmanager
    def reading(self, projection: str, doing: str) -> Iterator[Connection]:
        """Open a transaction that reads; while there is no database yet, of one that is empty.

        So who only looks makes nothing. Raises as `of`.
        """
        database = self.of(projection) if self.is_founded(projection) else empty_database()
        with database.read(doing) as connection:
            yield connection

    def load(
        self, projection: str, job_ids: Sequence[str], *, home: str | None = None
    ) -> dict[str, bytes]:
        """Return the documents of those jobs of a projection that have one.

        They are in its database, or in that of another projection, `home`.
        """
        with self.reading(home or projection, f"loading jobs of {projection}") as connection:
            return jobs.load(connection, projection, job_ids)

    def reopen(self, projection: str) -> None:
        """Have the database of a projection opened anew, and looked at, when it is asked for."""
        with self._lock:
            self._drop("" if self._shared else projection)

    def is_founded(self, projection: str) -> bool:
        """Return False while nobody has made the tables that could hold anything of a projection.

        Raises:
            StoreUnavailable: it cannot be reached.
        """
        if self._shared is None:
            return self._file(projection).exists()
        return bool(self._opened) or has_schema(self._shared)

    def together(self) -> Sequence[Sequence[str]]:
        """Return the names of all projections, by the databases that hold them."""
        if self._shared is not None:
            return [self._projections]
        return [[name] for name in self._projections]

    def all_of(self, projections: Sequence[str]) -> list[Database]:
        """Return the databases of these projections, each once."""
        return list(dict.fromkeys(self.of(projection) for projection in projections))

    def partition(self, job_id: str) -> int:
        """Return the partition of a job."""
        return Keys(self._settings.namespace, self._settings.partitions).partition(job_id)

    def sweep(self, projection: str) -> str | None:
        """Leave nothing of what was deleted in the database of a projection; return why not."""
        return sweep(self.of(projection)) if self.is_founded(projection) else None

    def examine(self, projection: str) -> Fault | None:
        """Read a database through; None when nothing is wrong, or there is none yet.

        A SQLite file is read from its beginning to its end.
        """
        if not self.is_founded(projection):
            return None
        try:
            database = self.of(projection)
            with database.read(f"looking through the database of {projection}") as connection:
                if not database.is_sqlite:
                    return None
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        except StoreUnavailable as error:
            is_damaged = isinstance(error, StoreDamaged) and self._shared is None
            return Fault(str(error), str(self._file(projection)) if is_damaged else None)
        if found == "ok":
            return None
        return Fault(f"the store {database.address} is damaged: {found}", database.address)

    def close(self) -> None:
        """Disconnect."""
        with self._lock:
            for database in self._opened.values():
                database.close()
            self._opened.clear()
            self._together.clear()
            if self._shared is not None:
                self._shared.close()

    def _drop(self, place: str) -> None:
        database = self._opened.pop(place, None)
        if database is not None:
            database.close()

    def _is_replaced(self, place: str) -> bool:
        """Tell whether not the file lies there that is open: nobody would find what that gets."""
        return not self._shared and identity(self._file(place)) != self._files[place]

    def _file(self, projection: str) -> Path:
        return self._folder / f"{projection}.db"


def _folder(settings: Settings) -> Path:
    if settings.store_url is None:
        return settings.data_dir / "views"
    path = sqlite_path(settings.store_url)
    if settings.store_url.startswith("sqlite:") and path is None:
        msg = (
            f"SYNAPSE_STREAM_STORE_URL={mask_url(settings.store_url)!r} names no folder; expected "
            "sqlite:///relative/path or sqlite:////absolute/path"
        )
        raise ConfigError(msg)
    return path or Path()
