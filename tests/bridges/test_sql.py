from __future__ import annotations

import gc
import json
import pickle
import tracemalloc

import pytest
import sqlalchemy as sa

from airflow_mlplat.bridges import Column, File, SqlSource
from airflow_mlplat.bridges.sql import parameters
from airflow_mlplat.contract import canonical_json
from airflow_mlplat.errors import PartitionError, PlatformError, SourceError, SpecError
from tests.bridges.suite import DAY, OTHER, SourceSuite, Stocked


def records(shop, source=None, partition=DAY):
    return list((source or shop.source()).records(shop.engine, partition))


class TestSqlSource(SourceSuite):
    TABLE = "CREATE TABLE stock (id INTEGER, path TEXT, label TEXT, day TEXT, taken_by TEXT, at TEXT)"
    ROWS = (
        f"INSERT INTO stock VALUES (1, '1.png', 'shirt', '{DAY}', 'ann', '10:00'), "
        f"(2, '2.png', NULL, '{DAY}', 'ann', '10:00'), (3, '3.png', 'coat', '{OTHER}', 'bob', '11:00')"
    )

    @pytest.fixture(params=["sqlite", "postgres"])
    def stocked(self, request, tmp_path):
        if request.param == "postgres":
            engine = request.getfixturevalue("postgres")
        else:
            engine = sa.create_engine(f"sqlite:///{tmp_path}/stock.db")
        with engine.begin() as connection:
            for statement in (self.TABLE, self.ROWS):
                connection.execute(sa.text(statement))
        query = "SELECT id, path, label, taken_by AS by, at FROM stock WHERE day = :partition"
        source = SqlSource(
            "shop", query, "id", File("path", "."), label="label", classes=("shirt", "coat"), metadata=("by",),
            watermark="at",
        )  # fmt: skip
        yield Stocked(source, engine)
        engine.dispose()


@pytest.mark.parametrize(
    "where",
    [
        "taken_on = :partition",
        "taken_on >= :partition_start AND taken_on < :partition_end",
        "taken_on = :partition OR taken_on = :partition",
        "taken_on = :partition AND '12:30:00' <> '' AND '\\:word' = '\\:word' AND path LIKE '%.png'",
        "taken_on = :partition; ",
        "taken_on = :partition -- the day",
    ],
)
def test_bounds_are_bound(shop, where):
    shop.add(1)
    shop.add(2, day="2026-02-01")
    source = shop.source(query=f"SELECT * FROM photos WHERE {where}")
    assert [record.key for record in records(shop, source)] == [1]
    assert source.count(shop.engine, DAY) == 1


def test_a_partition_cannot_carry_sql(shop):
    shop.add(1)
    with pytest.raises(PartitionError, match="partition does not parse"):
        records(shop, partition="2026-01-31' OR '1'='1")
    # And a value that is bound is no SQL, whatever it says.
    shop.add(2, label="'; DROP TABLE photos; --")
    assert len(records(shop)) == 2


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "SELECT * FROM photos",
            "query does not name its partition; expected :partition or :partition_start or :partition_end",
        ),
        (
            "SELECT * FROM photos WHERE day = :partition::date",
            r"does not name its partition; .* a cast is CAST\(:partition AS date\)",
        ),
        ("SELECT * FROM photos WHERE day = '\\:partition'", "query does not name its partition"),
        ("SELECT * FROM photos WHERE day = :day", "query names an unknown parameter :day; expected :partition, "),
        (None, "query is no text; expected a SELECT; got None"),
    ],
)
def test_queries_that_cannot_be_bound(query, message):
    with pytest.raises(SourceError, match=message):
        SqlSource("shop", query, "id", File("path", "."))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conn_id": ""}, "SqlSource has no conn_id"),
        ({"key": ""}, "SqlSource names no column"),
        ({"label": "label"}, "classes is not a list of label values; expected such as .* got None"),
        ({"metadata": "taken_by"}, "SqlSource.metadata is one text; expected a tuple of columns"),
        ({"media": "path"}, "SqlSource.media is neither File nor Column; got 'path'"),
        ({"chunk_rows": 0}, "SqlSource.chunk_rows is too small; expected at least 1; got 0"),
    ],
)
def test_options_are_checked(changes, message):
    options = {"conn_id": "shop", "query": "SELECT 1 WHERE :partition", "key": "id", "media": File("path", ".")}
    with pytest.raises(SpecError, match=message):
        SqlSource(**{**options, **changes})


def test_lists_become_tuples_and_chunks_fit_the_media():
    source = SqlSource("s", ":partition", "k", File("p", "."), label="l", classes=["a", 1], metadata=["m"])
    assert (source.classes, source.metadata, source.chunk_rows) == (("a", 1), ("m",), 1000)
    assert SqlSource("s", ":partition", "k", Column("p")).chunk_rows == 16
    assert hash(source) == hash(pickle.loads(pickle.dumps(source)))


def test_the_description_is_plain_json(shop):
    described = shop.source(media=File("path", "s3://photos"), metadata=("taken_by",)).describe()
    assert described == json.loads(canonical_json(described)) == {
        "kind": "sql", "conn_id": "shop", "key": "id", "label": "label", "classes": ["shirt", "coat"],
        "query": "SELECT id, path, label, taken_by, updated_at FROM photos WHERE taken_on = :partition",
        "media": {"kind": "file", "column": "path", "root": "s3://photos"}, "metadata": ["taken_by"], "watermark": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "SELECT id, path FROM photos WHERE taken_on = :partition",
            "query lacks column 'label'; expected label; got id, path",
        ),
        (
            "SELECT id, id, path, label FROM photos WHERE taken_on = :partition",
            "query returns more than one column 'id'",
        ),
        ("SELECT * FROM photo WHERE taken_on = :partition", "'shop' fails; got OperationalError: no such table: photo"),
        ("SELECT * FROM photos WHERE day = :partition", "'shop' fails; got OperationalError: no such column: day"),
        (
            "SELEC * FROM photos WHERE day = :partition",
            "'shop' fails; got OperationalError: near \"SELEC\": syntax error",
        ),
        (
            "UPDATE photos SET label = 'x' WHERE taken_on = :partition",
            "'shop' fails; .* attempt to write a readonly database",
        ),
        ("SELECT :partition; SELECT 1", "'shop' fails; got .*one statement at a time"),
        ("BEGIN -- :partition", "query"),
    ],
)
def test_wrong_queries_are_the_users(shop, query, message):
    shop.add(1)
    with pytest.raises(SourceError, match=message):
        records(shop, shop.source(query=query))
    assert records(shop)[0].label == "shirt"  # and nothing is left of it in the connection


def test_the_connection_is_writable_afterwards(shop):
    shop.add(1)
    records(shop)
    shop.add(2)
    assert shop.source().count(shop.engine, DAY) == 2


def test_a_database_that_is_not_there_is_the_platforms(tmp_path, shop):
    engine = sa.create_engine(f"sqlite:///{tmp_path}/none/shop.db")
    with pytest.raises(
        PlatformError, match="database of connection 'shop' cannot be read; got OperationalError: unable to open"
    ):
        list(shop.source().records(engine, DAY))


def test_a_locked_database_is_the_platforms(shop, tmp_path):
    shop.add(1)
    impatient = sa.create_engine(shop.engine.url, connect_args={"timeout": 0.01})
    with shop.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        with pytest.raises(PlatformError, match="database is locked"):
            list(shop.source().records(impatient, DAY))
        connection.rollback()
    impatient.dispose()


def test_a_reader_that_stops_early_gives_the_connection_back(shop):
    for n in range(10):
        shop.add(n)
    rows = shop.source(chunk_rows=2).records(shop.engine, DAY)
    next(rows)
    rows.close()
    shop.add(10)
    assert len(records(shop)) == 11


def test_scalars(shop):
    shop.add(1)
    source = shop.source()
    assert source.scalar(shop.engine, "SELECT label FROM photos WHERE taken_on = :partition", DAY) == "shirt"
    assert source.scalar(shop.engine, "SELECT label FROM photos WHERE taken_on = :partition", "2026-02-01") is None
    assert source.scalar(shop.engine, source.greatest(shop.engine, "updated_at"), DAY) == "2026-01-31 10:00"


def test_parameters():
    assert parameters("a = :partition AND b < :partition_end AND c = \\:x AND d = e::text") == {
        "partition",
        "partition_end",
    }


@pytest.mark.postgres
def test_postgres_streams_with_a_server_side_cursor_in_constant_memory(postgres):
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE photos (id bigint, path text, taken_on date, note text)")
        connection.exec_driver_sql(
            "INSERT INTO photos SELECT n, n || '.png', '2026-01-31', repeat('x', 500) FROM generate_series(1, 200000) n"
        )
    source = SqlSource(
        "shop", "SELECT * FROM photos WHERE taken_on = :partition", "id", File("path", "."), metadata=("note",)
    )
    tracemalloc.start()
    try:
        rows = source.records(postgres, DAY)
        next(rows)
        with postgres.connect() as other:
            cursors = other.execute(
                sa.text("SELECT query FROM pg_stat_activity WHERE query LIKE 'FETCH FORWARD%'")
            ).all()
        tracemalloc.reset_peak()
        count = 1 + sum(1 for _ in rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"200,000 rows of 600 bytes: peak {peak / 1e6:.1f} MB")
    assert count == 200_000 and cursors
    assert peak < 10e6  # bytes; all rows at once are more than 120e6


@pytest.mark.postgres
def test_postgres_dates_times_and_errors(postgres):
    with postgres.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE photos (id uuid, path text, day date, at timestamptz, label smallint, price numeric)"
        )
        connection.exec_driver_sql(
            "INSERT INTO photos VALUES (gen_random_uuid(), 'a', '2026-01-31', '2026-01-31 10:00Z', 3, 1.50),"
            " (gen_random_uuid(), 'b', '2026-02-01', '2026-02-01 00:00Z', 3, 1.50)"
        )

    def source(where, select="*"):
        return SqlSource(
            "shop", f"SELECT {select} FROM photos WHERE {where}", "id", File("path", "."), label="label",
            classes=range(10), metadata=("price",), watermark="at",
        )  # fmt: skip

    for where in (
        "day = :partition",
        "day = CAST(:partition AS date)",
        "at >= :partition_start AND at < :partition_end",
        "path LIKE '%a%' AND day < :partition_end",
    ):
        assert [record.media for record in source(where).records(postgres, DAY)] == ["a"], where
        assert source(where).count(postgres, DAY) == 1
    greatest = source("day = :partition").greatest(postgres, "at")
    assert source("day = :partition").scalar(postgres, greatest, DAY).isoformat() == "2026-01-31T10:00:00+00:00"
    for where, message in (
        ("dai = :partition", 'got UndefinedColumn: column "dai" does not exist'),
        ("label = :partition", "got InvalidTextRepresentation: invalid input syntax for type smallint"),
        ("id IN (DELETE FROM photos RETURNING id) AND day = :partition", "got SyntaxError"),
    ):
        with pytest.raises(SourceError, match=message):
            list(source(where).records(postgres, DAY))
    with postgres.begin() as connection:
        connection.exec_driver_sql("CREATE SEQUENCE served")
    writing = source("day = :partition AND nextval('served') > 0")
    with pytest.raises(SourceError, match="got ReadOnlySqlTransaction: cannot execute"):
        list(writing.records(postgres, DAY))
    assert source("day = :partition").count(postgres, DAY) == 1


@pytest.mark.postgres
def test_postgres_that_goes_away_is_the_platforms(postgres):
    with postgres.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE photos AS SELECT n AS id, 'p' AS path FROM generate_series(1, 100000) n"
        )
    source = SqlSource("shop", "SELECT * FROM photos WHERE '' <> :partition", "id", File("path", "."))
    rows = source.records(postgres, DAY)
    next(rows)
    with postgres.connect() as other:
        kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'FETCH FORWARD%'"
        other.execute(sa.text(f"{kill} AND pid <> pg_backend_pid()"))
    with pytest.raises(PlatformError, match="database of connection 'shop' cannot be read"):
        list(rows)
    refused = sa.create_engine(postgres.url.set(port=1))
    with pytest.raises(PlatformError) as error:
        list(source.records(refused, DAY))
    assert postgres.url.password not in str(error.value).replace(f"user '{postgres.url.username}'", "")
    del rows, error
    gc.collect()
