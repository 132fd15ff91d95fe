from __future__ import annotations

import pytest
import sqlalchemy as sa

from airflow_mlplat.catalog.session import Session, insert_absent, lock_number, parse_url
from airflow_mlplat.errors import CatalogError, ConfigError, SpecError

TABLE = sa.Table(
    "mlplat_test",
    sa.MetaData(),
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("document", sa.JSON),
)


@pytest.fixture
def session(url):
    session = Session(url)
    with session.writing("test") as connection:
        TABLE.create(connection)
    return session


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////tmp/c.db", "sqlite"),
        ("postgresql://u:p@h/d", "postgresql+psycopg"),
        ("postgres://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg"),
    ],
)
def test_parse_url(url, driver):
    assert parse_url(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "the catalog's URL does not parse; expected sqlite:////path/catalog.db or postgresql"),
        ("mysql://u:secret@h/d", "the catalog cannot use this database; expected .*; got mysql. set MLPLAT_CATALOG"),
        ("sqlite://", "the catalog needs a database that other processes can open"),
        ("sqlite:///:memory:", "the catalog needs a database that other processes can open"),
    ],
)
def test_wrong_urls_say_what_is_right(url, message):
    with pytest.raises(ConfigError, match=message) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_password_is_never_shown():
    session = Session("postgresql://me:secret@127.0.0.1:1/none?connect_timeout=1")
    assert "secret" not in session.url
    words = r"the catalog postgresql\+psycopg://me:\*\*\*@.* failed; got .*"
    with pytest.raises(CatalogError, match=words) as caught, session.reading():
        pass
    assert "secret" not in str(caught.value)


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="the catalog's folder cannot be made"):
        Session(f"sqlite:///{tmp_path}/file/catalog.db")


def test_writer_takes_its_lock_before_it_reads(session):
    statements = []
    sa.event.listen(session.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    with session.writing("test") as connection:
        connection.execute(sa.select(TABLE))
    assert "BEGIN IMMEDIATE" in statements[0] or "pg_advisory_xact_lock" in statements[0]


def test_failing_transaction_leaves_nothing(session):
    with pytest.raises(ZeroDivisionError), session.writing("test") as connection:
        connection.execute(sa.insert(TABLE), {"key": 1})
        raise ZeroDivisionError
    with session.reading() as connection:
        assert connection.execute(sa.select(TABLE)).all() == []


def test_database_errors_become_catalog_errors_in_few_words(session):
    words = r"failed; got (IntegrityError: UNIQUE|UniqueViolation)"
    with pytest.raises(CatalogError, match=words) as caught, session.writing("test") as connection:
        connection.execute(sa.insert(TABLE), [{"key": 1, "document": "long" * 1000}] * 2)
    assert len(str(caught.value)) < 500


def test_only_plain_json_is_stored(session):
    with pytest.raises(SpecError, match="document is not plain JSON"), session.writing("test") as connection:
        connection.execute(sa.insert(TABLE), {"key": 1, "document": {"loss": float("nan")}})


def test_insert_absent_keeps_the_first(session):
    with session.writing("test") as connection:
        insert_absent(connection, TABLE, [{"key": 2, "document": "b"}, {"key": 1, "document": "a"}])
        insert_absent(connection, TABLE, [{"key": 2, "document": "other"}])
        insert_absent(connection, TABLE, [])
        rows = connection.execute(sa.select(TABLE).order_by(TABLE.c.key)).all()
    assert rows == [(1, "a"), (2, "b")]


def test_lock_numbers_fit_postgresql_and_differ():
    numbers = [lock_number(f"span/fashion/{i}") for i in range(100)]
    assert len(set(numbers)) == 100 and all(-(2**63) <= number < 2**63 for number in numbers)
