"""The public names, and that importing them is cheap: both halves do."""

from __future__ import annotations

import subprocess
import sys

import airflow_mlplat.store

CODE = """
import sys, numpy
before = set(sys.modules)
import airflow_mlplat.store
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def test_public_names():
    assert airflow_mlplat.store.__all__ == [
        "BACKENDS",
        "CheckReport",
        "GarbageReport",
        "Problem",
        "Sample",
        "Samples",
        "SpanWriter",
        "Store",
        "adopt",
        "check_store",
        "collect_garbage",
        "grant",
        "npy_bytes",
        "open_store",
    ]


def test_import_is_cheap():
    imported = subprocess.check_output([sys.executable, "-c", CODE], text=True).split()
    assert not set(imported) & {"airflow", "sqlalchemy", "google_crc32c", "fsspec", "PIL"}
