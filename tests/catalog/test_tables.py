from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from airflow_mlplat.catalog.session import Session
from airflow_mlplat.catalog.tables import METADATA, Utc


def test_no_name_can_meet_one_of_airflows():
    assert all(table.startswith("mlplat_") for table in METADATA.tables)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=timezone.utc),
        datetime(2026, 1, 31, 14, 0, 0, 5, tzinfo=timezone(timedelta(hours=2))),
        datetime(2026, 1, 31, 12, 0, 0, 5),
    ],
    ids=["utc", "another zone", "naive"],
)
def test_moments_come_back_in_utc(url, value):
    table = sa.Table("mlplat_moment", sa.MetaData(), sa.Column("at", Utc))
    session = Session(url)
    with session.writing("test") as connection:
        table.create(connection)
        connection.execute(sa.insert(table), {"at": value})
        connection.execute(sa.insert(table), {"at": None})
    with session.reading() as connection:
        at, none = connection.execute(sa.select(table.c.at).order_by(table.c.at.is_(None))).scalars()
    assert at == datetime(2026, 1, 31, 12, 0, 0, 5, tzinfo=timezone.utc) and at.utcoffset() == timedelta(0)
    assert none is None
