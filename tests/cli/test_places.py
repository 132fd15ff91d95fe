from __future__ import annotations

from airflow_mlplat.catalog import open_catalog
from airflow_mlplat.cli import places as where


def test_they_are_where_the_settings_say(places):
    open_catalog(places.catalog)
    assert where.store().url.endswith(str(places.home / "store"))
    assert str(places.home / "catalog.db") in where.catalog().url
