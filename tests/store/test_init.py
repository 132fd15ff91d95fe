"""The public names, and that importing them is cheap: both halves do."""

from __future__ import annotations

import subprocess
import sys

import airflow_mlplat.store

CODE = """
import sys, time, numpy
before, start = set(sys.modules), time.perf_counter()
import airflow_mlplat.store
print(time.perf_counter() - start)
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
        "check_store",
        "collect_garbage",
        "npy_bytes",
        "open_store",
    ]


def test_import_is_cheap():
    runs = [subprocess.check_output([sys.executable, "-c", CODE], text=True).splitlines() for _ in range(3)]
    assert min(float(seconds) for seconds, _ in runs) < 0.1
    assert not set(runs[0][1].split()) & {"airflow", "sqlalchemy", "google_crc32c", "fsspec", "PIL"}
