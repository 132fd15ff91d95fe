"""The client that a source is read with, from its Airflow connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow_mlplat.bridges import CsvSource, Source, SqlSource, WebDatasetSource
from airflow_mlplat.errors import SpecError
from airflow_mlplat.hooks.sql import sql_engine

CLIENTS: dict[type, Callable[[Any], Any]] = {
    SqlSource: lambda source: sql_engine(source.conn_id),
    CsvSource: lambda source: None,
    WebDatasetSource: lambda source: None,
}


def source_client(source: Source) -> Any:
    """Connect to what the source names.

    Raises:
        SpecError: Nothing is known of this kind of source.
        ConfigError: Its connection cannot be used.
    """
    if type(source) not in CLIENTS:
        known = ", ".join(sorted(kind.__name__ for kind in CLIENTS))
        raise SpecError("unknown kind of source", expected=known, got=type(source).__name__)
    return CLIENTS[type(source)](source)


def media_filesystem(conn_id: str | None) -> Callable[[str], Any] | None:
    """From a URL's scheme to the file system that has the connection's credentials; None: fsspec's defaults."""
    if conn_id is None:
        return None
    from airflow.sdk.io import get_fs

    return lambda scheme: get_fs(scheme, conn_id)
