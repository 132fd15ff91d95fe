"""The public names, and that importing them is cheap: jobs of every framework do."""

from __future__ import annotations

import subprocess
import sys

import airflow_mlplat.data

CODE = """
import sys, numpy
before = set(sys.modules)
import airflow_mlplat.data, airflow_mlplat.data.adapters.numpy
import airflow_mlplat.data.adapters.tensorflow, airflow_mlplat.data.adapters.mxnet
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def test_public_names():
    assert airflow_mlplat.data.__all__ == [
        "Batch", "BatchIterator", "IteratorOptions", "SampleSource", "Subset", "batch_digest", "decode", "permute",
    ]  # fmt: skip


def test_import_is_cheap():
    loaded = subprocess.check_output([sys.executable, "-c", CODE], text=True).split()
    assert not set(loaded) & {"airflow", "sqlalchemy", "PIL", "tensorflow", "keras", "mxnet"}
