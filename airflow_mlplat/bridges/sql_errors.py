"""Whose fault a database's error is: the query's (mend it) or the database's (run again)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_mlplat.errors import PlatformError, SourceError

# MySQL's drivers raise OperationalError for these: access denied, unknown database, column, syntax, table.
_MYSQL_USER_ERRORS = {1044, 1045, 1049, 1054, 1064, 1146}

_SQLITE_USER_ERRORS = (
    "no such ",
    "syntax error",
    "incomplete input",
    "readonly database",
    "ambiguous column",
    "misuse of",
)


@contextmanager
def sql_errors(conn_id: str) -> Iterator[None]:
    """Raise SourceError or PlatformError for SQLAlchemy's errors, with the driver's own first line.

    The statement's parameters and the connection's URL are left out.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        original = getattr(error, "orig", None) or error
        got = f"{type(original).__name__}: {str(original).strip().splitlines()[0] if str(original).strip() else ''}"
        if _is_the_querys(error, original):
            raise SourceError(f"query on connection {conn_id!r} fails", got=got, fix="mend the query") from error
        raise PlatformError(f"database of connection {conn_id!r} cannot be read", got=got) from error


def _is_the_querys(error: Exception, original: BaseException) -> bool:
    from sqlalchemy import exc

    if isinstance(error, exc.DBAPIError) and error.connection_invalidated:
        return False
    if isinstance(original, sqlite3.OperationalError):
        return any(words in str(original) for words in _SQLITE_USER_ERRORS)
    if isinstance(error, exc.OperationalError):
        return bool(original.args) and original.args[0] in _MYSQL_USER_ERRORS
    if isinstance(error, (exc.InterfaceError, exc.InternalError, exc.TimeoutError)):
        # PostgreSQL's refusal of a write in a read-only transaction is an InternalError.
        return "ReadOnly" in type(original).__name__
    return True
