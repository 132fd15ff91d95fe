"""The public names, and that importing them is cheap."""

from __future__ import annotations

import subprocess
import sys

import airflow_mlplat.data.cache

CODE = """
import sys
import airflow_mlplat.data.cache
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def test_public_names():
    assert airflow_mlplat.data.cache.__all__ == ["CacheOptions", "CachedReader", "HostCache", "ShardCache"]


def test_import_is_cheap():
    loaded = subprocess.check_output([sys.executable, "-c", CODE], text=True).split()
    assert not set(loaded) & {"airflow", "sqlalchemy", "fsspec", "aiohttp", "requests", "PIL"}
