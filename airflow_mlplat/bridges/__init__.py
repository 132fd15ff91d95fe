"""Bridges: copy one partition of a source into the store as a span. Knows no Airflow."""

from airflow_mlplat.bridges.base import Bridged, Previous, Source
from airflow_mlplat.bridges.completeness import Completeness, DoneFlag, MaxWatermark, RowCount
from airflow_mlplat.bridges.csv_source import CsvSource
from airflow_mlplat.bridges.media import Column, File
from airflow_mlplat.bridges.sql import SqlSource
from airflow_mlplat.bridges.transfer import bridge

__all__ = [
    "Bridged",
    "Column",
    "Completeness",
    "CsvSource",
    "DoneFlag",
    "File",
    "MaxWatermark",
    "Previous",
    "RowCount",
    "Source",
    "SqlSource",
    "bridge",
]
