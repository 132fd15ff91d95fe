"""Bring a catalog's tables to the newest revision, once, however many processes open it at the same moment."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from airflow_mlplat.catalog.session import BUSY_MILLISECONDS, Session
from airflow_mlplat.catalog.tables import HEAD, VERSION_TABLE
from airflow_mlplat.errors import CatalogError

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(session: Session) -> None:
    """Make or migrate the tables. Costs one query, and no Alembic, when they are up to date.

    Raises:
        CatalogError: The database fails, or was migrated by a newer version of this package.
    """
    if revision(session) == HEAD:
        return
    with _alone(session) as connection:
        _run_migrations(session, connection)


def revision(session: Session) -> str | None:
    """The revision that the database is at; None when it has no tables yet."""
    with session.reading() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        return connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()


@contextmanager
def _alone(session: Session) -> Iterator[sa.Connection]:
    """A writing transaction, under a lock that every migrating process takes."""
    if session.path is None:
        with session.writing("upgrade") as connection:
            yield connection
        return
    with session.path.with_name(session.path.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _use_write_ahead_log(session)
        with session.writing("upgrade") as connection:
            yield connection


def _use_write_ahead_log(session: Session) -> None:
    """WAL lets readers go on while one process writes. The mode stays with the file.

    SQLite's busy timeout does not cover this change, and another process may be reading the revision just now.
    """
    end = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        with session.engine.connect() as connection:
            raw = connection.connection.cursor()
            try:
                raw.execute("PRAGMA journal_mode = WAL")
                return
            except Exception as error:  # the driver's own OperationalError
                if "locked" not in str(error) or time.monotonic() > end:
                    raise CatalogError(f"the catalog {session.url} cannot use a write-ahead log", got=error) from error
        time.sleep(0.02)


def _run_migrations(session: Session, connection: sa.Connection) -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        from alembic import command

        command.upgrade(config, "head")
    except CommandError as error:
        head = ScriptDirectory.from_config(config).get_current_head()
        raise CatalogError(
            f"the catalog {session.url} is at a revision that this version does not know", expected=f"at most {head}",
            got=error, fix="install the newest airflow-mlplat that has used this catalog",
        ) from error  # fmt: skip
