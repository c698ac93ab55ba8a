"""Bring a database to the schema of this program, by itself and under a lock.

Several processes may open a store at once: one of them migrates, the others wait for it. A database
that is up to date costs one read. Alembic is imported only when there is something to do.
"""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import inspect, select, text

from consumers.errors import StoreUnavailable
from consumers.store.columns import metadata
from consumers.store.failures import LACKING
from consumers.store.schema import EVERY_JOB, HEAD, checkpoint, deployment, rebuild
from consumers.store.sql import insert_into
from synapse_stream.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from consumers.store.engine import Database
    from synapse_stream.settings import Settings

SCRIPTS = Path(__file__).with_name("migrations")
_migrating = Lock()  # Alembic has one migration at a time in its modules, whatever the database
_OF_RECORD = frozenset({"job", "change", "block", "removed"})
"""Tables of what is recorded: nothing makes that anew."""
_OF_PROJECTORS = frozenset({"deployment", "checkpoint", "member", "rebuild", "damage"})
"""Tables in which nothing of a view is."""
_logger = logging.getLogger("synapse_stream.consumers")
_ADVISORY_LOCK = 0x53594E41505345  # "SYNAPSE"; one a PostgreSQL database


def prepare(database: Database, settings: Settings, projection: str, *, holds_record: bool) -> None:
    """Migrate `database` if need be, and see that it holds the views of this deployment.

    Raises:
        ConfigError: its schema is newer than this program, or its views are of other streams.
        StoreUnavailable: it lacks a table of what is recorded.
    """
    with database.read("reading the schema's version") as connection:
        is_ready = _version(connection) == HEAD and not _lacking(connection)
    if not is_ready:
        _migrate(database, projection, holds_record=holds_record)
    _check_deployment(database, settings)


def has_schema(database: Database) -> bool:
    """Tell whether somebody has made our tables there, of whatever version."""
    with database.read("looking for the tables") as connection:
        return _version(connection) is not None


def _migrate(database: Database, projection: str, *, holds_record: bool) -> None:
    with database.write("migrating the schema") as connection:
        if not database.is_sqlite:  # there a transaction that writes is alone anyway
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        version = _version(connection)
        if version != HEAD:
            _upgrade(connection, version, database.address)
        lacking = _lacking(connection)
        if lacking and holds_record and lacking & _OF_RECORD:
            names = ", ".join(sorted(lacking))
            msg = f"the store {database.address} {LACKING}"
            raise StoreUnavailable(msg, f"it has none of the name {names}")
        if lacking:
            _make_anew(connection, lacking, projection, database.address)


def _lacking(connection: Connection) -> set[str]:
    return set(metadata.tables) - set(inspect(connection).get_table_names())


def _make_anew(connection: Connection, lacking: set[str], projection: str, address: str) -> None:
    """Make tables that are gone; what was in them is folded from what is recorded."""
    names = ", ".join(sorted(lacking))
    _logger.error("the store %s lacked the tables %s; they are made anew", address, names)
    metadata.create_all(connection, tables=[metadata.tables[name] for name in lacking])
    if lacking <= _OF_PROJECTORS:
        return
    known = connection.execute(select(checkpoint.c.projection).distinct()).scalars()
    for name in {projection, *known}:
        row = insert_into(connection, rebuild).values(
            projection=name, job_id=EVERY_JOB, partition=0, is_rollback=False, times=1
        )
        connection.execute(row.on_conflict_do_nothing())


def _upgrade(connection: Connection, version: str | None, address: str) -> None:
    from alembic import command  # noqa: PLC0415 - 0.2 s that a database up to date need not pay
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    if version is not None and version not in known:
        msg = (
            f"the store {address} has schema {version}, this program knows up to {HEAD}; "
            "install a newer synapse-stream"
        )
        raise ConfigError(msg)
    with _migrating:
        command.upgrade(config, HEAD)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar()
    return version


def _check_deployment(database: Database, settings: Settings) -> None:
    ours = (settings.namespace, settings.partitions)
    query = select(deployment.c.namespace, deployment.c.partitions)
    with database.read("reading whose views these are") as connection:
        found = connection.execute(query).first()
    if found is None:
        with database.write("founding the store") as connection:
            row = insert_into(connection, deployment).values(
                no=1, namespace=settings.namespace, partitions=settings.partitions
            )
            connection.execute(row.on_conflict_do_nothing())
            found = connection.execute(query).first()
    if found is not None and tuple(found) != ours:
        namespace, partitions = found
        msg = (
            f"the store {database.address} has the views of namespace {namespace!r} with "
            f"{partitions} partitions, this program is set to {settings.namespace!r} with "
            f"{settings.partitions}; set SYNAPSE_STREAM_STORE_URL to another store, or "
            "SYNAPSE_STREAM_NAMESPACE and SYNAPSE_STREAM_PARTITIONS to these"
        )
        raise ConfigError(msg)
