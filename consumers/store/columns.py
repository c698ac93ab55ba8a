"""What the tables of the schema are made with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Identity, MetaData

from consumers.store.kinds import Number

metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "uq": "%(table_name)s_%(column_0_N_name)s_key"}
)


def required(name: str, kind: Any, **options: Any) -> Column[Any]:
    """Return a column that is never NULL."""
    return Column(name, kind, nullable=False, **options)


def number() -> Column[Any]:
    """Return the number of a row, which the database gives."""
    return Column("no", Number, Identity(), primary_key=True)


def of_job() -> Column[Any]:
    """Return the number of the job that a row is of, as its key."""
    return Column("job_no", BigInteger, primary_key=True, autoincrement=False)
