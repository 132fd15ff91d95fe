"""From an Airflow connection to a SQLAlchemy engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_mlplat.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def sql_engine(conn_id: str) -> Engine:
    """The engine of any connection whose provider speaks DB-API.

    Args:
        conn_id: Airflow connection id.

    Raises:
        ConfigError: No such connection, its provider is not installed, or it is no SQL database.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk.bases.hook import BaseHook

    try:
        hook = BaseHook.get_connection(conn_id).get_hook()
    except Exception as error:
        raise ConfigError(
            f"connection {conn_id!r} cannot be used",
            got=f"{type(error).__name__}: {error}",
            fix="define it (`airflow connections add`) and install the provider of its type",
        ) from error
    if not isinstance(hook, DbApiHook):
        raise ConfigError(f"connection {conn_id!r} is no SQL database", expected="a DbApiHook", got=type(hook).__name__)
    return hook.get_sqlalchemy_engine()
