"""Bridges: copy one partition of a source into the store as a span. Knows no Airflow.

DAG files name sources; what copies them is imported when a task does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlplat.bridges.base import Bridged, Previous, Source
from airflow_mlplat.bridges.completeness import DoneFlag, MaxWatermark, RowCount
from airflow_mlplat.bridges.csv_source import CsvSource
from airflow_mlplat.bridges.media import Column, File
from airflow_mlplat.bridges.sql import SqlSource
from airflow_mlplat.bridges.webdataset_source import WebDatasetSource

if TYPE_CHECKING:
    from airflow_mlplat.bridges.transfer import bridge

__all__ = [
    "Bridged",
    "Column",
    "CsvSource",
    "DoneFlag",
    "File",
    "MaxWatermark",
    "Previous",
    "RowCount",
    "Source",
    "SqlSource",
    "WebDatasetSource",
    "bridge",
]


def __getattr__(name: str) -> Any:
    if name != "bridge":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from airflow_mlplat.bridges.transfer import bridge

    return bridge
