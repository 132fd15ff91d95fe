"""Aliases: the only mutable pointers. They move by compare-and-swap, and every place they pointed to is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_mlplat.catalog.tables import ALIAS, ALIAS_HISTORY


@dataclass(frozen=True)
class AliasRow:
    """Where an alias points, or pointed.

    Args:
        name: The model's name, `fashion`.
        alias: `champion`.
        digest: The model version's digest.
        partition: The partition that the model was trained for.
        version: 1 for the first place, one more with each move.
        moved_at: When it came to point there, UTC.
        decision: Key of the decision that moved it.
        restores: The version that a rollback went back to; None for promotions.
    """

    name: str
    alias: str
    digest: str
    partition: str
    version: int
    moved_at: datetime
    decision: str
    restores: int | None = None


def current(connection: sa.Connection, name: str, alias: str) -> AliasRow | None:
    """Where the alias points; None before the first promotion."""
    row = connection.execute(sa.select(ALIAS).where(ALIAS.c.name == name, ALIAS.c.alias == alias)).one_or_none()
    if row is None:
        return None
    return at_version(connection, name, alias, row.version)


def at_version(connection: sa.Connection, name: str, alias: str, version: int) -> AliasRow | None:
    """Where the alias pointed after its move of that number."""
    table = ALIAS_HISTORY.c
    query = sa.select(ALIAS_HISTORY).where(table.name == name, table.alias == alias, table.version == version)
    row = connection.execute(query).one_or_none()
    return None if row is None else _alias_row(row)


def history(connection: sa.Connection, name: str, alias: str) -> list[AliasRow]:
    """Every place the alias pointed to, from old to new."""
    table = ALIAS_HISTORY.c
    query = sa.select(ALIAS_HISTORY).where(table.name == name, table.alias == alias).order_by(table.version)
    return [_alias_row(row) for row in connection.execute(query)]


def every(connection: sa.Connection) -> list[AliasRow]:
    """All aliases of all models."""
    query = sa.select(ALIAS).order_by(ALIAS.c.name, ALIAS.c.alias)
    return [AliasRow(**row._mapping) for row in connection.execute(query)]


def as_of(connection: sa.Connection, name: str, alias: str, partition: str | None) -> AliasRow | None:
    """Where the alias points; for a partition, its last place of that partition or an earlier one."""
    if partition is None:
        return current(connection, name, alias)
    return next((row for row in reversed(history(connection, name, alias)) if row.partition <= partition), None)


def before(connection: sa.Connection, row: AliasRow) -> AliasRow | None:
    """The champion before this one. Going back twice goes back two: a rollback counts as the version it restored."""
    version = (row.restores or row.version) - 1
    return at_version(connection, row.name, row.alias, version)


def move(connection: sa.Connection, row: AliasRow) -> None:
    """Point the alias to its next place. The caller holds the alias' lock and has compared."""
    fields = {name: getattr(row, name) for name in ALIAS_HISTORY.c.keys()}  # noqa: SIM118 - no mapping
    connection.execute(sa.insert(ALIAS_HISTORY), fields)
    del fields["restores"]
    where = (ALIAS.c.name == row.name, ALIAS.c.alias == row.alias, ALIAS.c.version == row.version - 1)
    if not connection.execute(sa.update(ALIAS).where(*where).values(fields)).rowcount:
        connection.execute(sa.insert(ALIAS), fields)


def _alias_row(row: Any) -> AliasRow:
    return AliasRow(**row._mapping)
