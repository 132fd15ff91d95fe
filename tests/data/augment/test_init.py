"""The public names, and that importing them is cheap."""

from __future__ import annotations

import subprocess
import sys

import airflow_mlplat.data.augment

CODE = """
import sys, numpy
before = set(sys.modules)
import airflow_mlplat.data.augment
print(*sorted({name.split(".")[0] for name in set(sys.modules) - before}))
"""


def test_public_names():
    assert airflow_mlplat.data.augment.__all__ == [
        "BATCH_OPERATIONS", "OPERATIONS", "Augmentation", "Draws", "Mixed", "check_augment", "replay",
    ]  # fmt: skip


def test_import_is_cheap():
    loaded = subprocess.check_output([sys.executable, "-c", CODE], text=True).split()
    assert not set(loaded) & {"cv2", "PIL", "statistics", "simplejpeg"}
