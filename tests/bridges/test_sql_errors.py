from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import exc

from airflow_mlplat.bridges.sql_errors import sql_errors
from airflow_mlplat.errors import PlatformError, SourceError


class MySQLError(Exception):
    """As PyMySQL's: number, then message."""


class ReadOnlySqlTransaction(Exception):
    """As psycopg's."""


def wrapped(kind, original, lost=False):
    return kind("SELECT secret", {"secret": 1}, original, connection_invalidated=lost)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(exc.ProgrammingError, Exception("relation does not exist")),
        wrapped(exc.DataError, Exception("invalid date")),
        wrapped(exc.OperationalError, sqlite3.OperationalError("no such column: day")),
        wrapped(exc.OperationalError, MySQLError(1054, "Unknown column")),
        wrapped(exc.InternalError, ReadOnlySqlTransaction("cannot execute DELETE")),
        exc.StatementError("A value is required for bind parameter 'day'", "SELECT", {}, None),
    ],
)
def test_the_users_errors(error):
    with pytest.raises(SourceError, match="query on connection 'shop' fails; got ") as found, sql_errors("shop"):
        raise error
    assert found.value.__cause__ is error and "secret" not in str(found.value)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(exc.OperationalError, sqlite3.OperationalError("database is locked")),
        wrapped(exc.OperationalError, MySQLError(2006, "server has gone away")),
        wrapped(exc.OperationalError, Exception("")),
        wrapped(exc.ProgrammingError, Exception("connection lost"), lost=True),
        wrapped(exc.InterfaceError, Exception("connection already closed")),
        exc.TimeoutError("QueuePool limit reached"),
    ],
)
def test_the_databases_errors(error):
    with pytest.raises(PlatformError, match="database of connection 'shop' cannot be read; got "), sql_errors("shop"):
        raise error


def test_only_the_first_line_is_told():
    with pytest.raises(SourceError, match=r"got Exception: first\. mend the query\.$"), sql_errors("shop"):
        raise wrapped(exc.ProgrammingError, Exception("first\nLINE 1: second"))


def test_other_errors_pass():
    with pytest.raises(KeyError), sql_errors("shop"):
        raise KeyError("mine")
