"""From an Airflow connection to an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow


def test_a_connection_becomes_an_engine(airflow_home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import text

    from airflow_mlplat.hooks.sql import sql_engine

    connection = {"conn_type": "sqlite", "host": str(tmp_path / "shop.db")}
    monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps(connection))
    with sql_engine("shop").connect() as open_connection:
        assert open_connection.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.parametrize(
    ("conn_type", "told"), [("fs", "is no SQL database"), ("nowhere", "cannot be used"), (None, "cannot be used")]
)
def test_what_is_no_database_is_told(airflow_home, monkeypatch: pytest.MonkeyPatch, conn_type: str, told: str) -> None:
    from airflow_mlplat.errors import ConfigError
    from airflow_mlplat.hooks.sql import sql_engine

    if conn_type:
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", json.dumps({"conn_type": conn_type}))
    with pytest.raises(ConfigError, match=f"connection 'shop' {told}"):
        sql_engine("shop")
