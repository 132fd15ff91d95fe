"""How the catalog's database is reached: an engine, transactions that read, and transactions that write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import NullPool

from airflow_mlplat.contract import canonical_json
from airflow_mlplat.errors import CatalogError, ConfigError, MlplatError

BUSY_MILLISECONDS = 60_000
"""How long a SQLite connection waits for another process's write; a write takes milliseconds."""

_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_DRIVERS = {
    "sqlite": "sqlite", "sqlite+pysqlite": "sqlite", "postgresql+psycopg": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg",
}  # fmt: skip


def parse_url(url: str) -> sa.URL:
    """The catalog's URL, with the driver that the platform uses.

    Raises:
        ConfigError: Not a SQLAlchemy URL of a SQLite file or of PostgreSQL.
    """
    expected = "sqlite:////path/catalog.db or postgresql://user@host/database"
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        # The text itself may hold a password: it is not repeated.
        raise ConfigError("the catalog's URL does not parse", expected=expected, fix="set MLPLAT_CATALOG") from None
    if parsed.drivername not in _DRIVERS:
        raise ConfigError(
            "the catalog cannot use this database", expected=expected, got=parsed.drivername, fix="set MLPLAT_CATALOG"
        )
    in_memory = parsed.database in (None, "", ":memory:")
    if parsed.drivername.startswith("sqlite") and in_memory:
        raise ConfigError("the catalog needs a database that other processes can open", expected=expected, got=url)
    return parsed.set(drivername=_DRIVERS[parsed.drivername])


class Session:
    """A database and its transactions. Holds no connection between them, so it survives a fork.

    Args:
        url: As `parse_url` takes it.
    """

    def __init__(self, url: str) -> None:
        parsed = parse_url(url)
        self.url = parsed.render_as_string(hide_password=True)
        self.path = Path(parsed.database or "").absolute() if parsed.get_backend_name() == "sqlite" else None
        try:
            if self.path:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self.engine = sa.create_engine(
                parsed, poolclass=NullPool, json_serializer=lambda document: canonical_json(document).decode()
            )
        except ImportError as error:
            raise ConfigError(
                "the catalog's database driver is not installed",
                got=error,
                fix="pip install 'airflow-mlplat[postgres]'",
            ) from error
        except OSError as error:
            raise ConfigError("the catalog's folder cannot be made", got=error, fix="set MLPLAT_CATALOG") from error
        if self.path:
            sa.event.listen(self.engine, "connect", _configure_sqlite)
            sa.event.listen(self.engine, "begin", _begin_sqlite)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that only reads.

        Raises:
            CatalogError: The database fails.
        """
        with self._translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, subject: str) -> Iterator[sa.Connection]:
        """A transaction that writes, alone among those with the same subject: what it reads stays true until it ends.

        Args:
            subject: What is being changed, `span/fashion/2026-01-31`. SQLite has one writer at a time anyway.

        Raises:
            CatalogError: The database fails, or stays locked for longer than `BUSY_MILLISECONDS`.
        """
        engine = self.engine.execution_options(mlplat_writes=True)
        with self._translated(), engine.begin() as connection:
            if not self.path:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number(subject))))
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            # Only the driver's own words: SQLAlchemy's message repeats whole documents.
            cause = getattr(error, "orig", None) or error
            if isinstance(cause, MlplatError):  # a document that is not plain JSON
                raise cause from error
            raise CatalogError(f"the catalog {self.url} failed", got=f"{type(cause).__name__}: {cause}") from error


def lock_number(subject: str) -> int:
    """PostgreSQL's advisory locks are signed 64-bit numbers: one for each subject."""
    return int.from_bytes(hashlib.sha256(f"mlplat/{subject}".encode()).digest()[:8], "big", signed=True)


def insert_absent(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose key is not there yet, in key order: two transactions in other orders could deadlock."""
    keys = [column.name for column in table.primary_key]
    if rows:
        ordered = sorted(rows, key=lambda row: [row[key] for key in keys])
        connection.execute(_INSERT[connection.dialect.name](table).on_conflict_do_nothing(), ordered)


def _configure_sqlite(connection: Any, _record: Any) -> None:
    # Leave BEGIN to `_begin_sqlite`: Python's driver would start transactions late, and only as readers.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that turns writer fails at once when another wrote meanwhile (SQLITE_BUSY_SNAPSHOT,
    # sqlite.org/isolation.html): transactions that will write say so from the start.
    writes = connection.get_execution_options().get("mlplat_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
