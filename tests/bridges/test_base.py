from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

import airflow_mlplat.bridges as public
from airflow_mlplat.bridges import CsvSource, File, Previous, SqlSource, WebDatasetSource
from airflow_mlplat.bridges.base import Record
from airflow_mlplat.contract import Ref

SOURCES = [
    SqlSource(
        "shop", "SELECT * FROM photos WHERE day = :partition", "id", File("path", "."), label="l", classes=("a",)
    ),
    CsvSource("labels.csv", "id", File("path", "."), label="l", classes=("a",)),
    WebDatasetSource("*.tar", label="cls", classes=("a",)),
]


def test_public_names():
    assert len(public.__all__) <= 12 and all(getattr(public, name).__doc__ for name in public.__all__)


def test_importing_costs_no_heavy_library():
    code = "import sys, airflow_mlplat.bridges; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"airflow", "numpy", "sqlalchemy", "fsspec", "aiohttp"} & set(modules)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: type(source).__name__)
def test_sources_are_plain(source):
    assert pickle.loads(pickle.dumps(source)) == source and hash(source)
    assert source.describe()["kind"] and source.classes == ("a",)


def test_a_record_has_nothing_by_default():
    assert Record("k") == Record("k", None, None, {}, None, None)


def test_previous_is_plain():
    previous = Previous(Ref("span", "photos", "0" * 64), "f")
    assert pickle.loads(pickle.dumps(previous)) == previous
