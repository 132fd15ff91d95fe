"""What holds for everything that is compiled: it touches only what it is given, and can be absent."""

from __future__ import annotations

import _ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.data.compiled import library as module
from airflow_mlplat.data.compiled.library import LIBRARY, address, library
from airflow_mlplat.data.fit import FILTERS, fitted
from tests.data.compiled.walls import noise, walled

RESIZE = ["linear", "box", "bilinear", "bicubic"]
NOISE = noise(50, 70, 3)


@pytest.fixture
def absent(monkeypatch, tmp_path):
    """Whatever is at the path that it gives is the library, nothing at first."""
    monkeypatch.setattr(module, "LIBRARY", tmp_path / "libresize.so")
    library.cache_clear()
    yield tmp_path / "libresize.so"
    library.cache_clear()


@pytest.mark.parametrize("resize", RESIZE)
def test_nothing_beyond_the_images_is_touched(resize):
    code = f"from tests.data.compiled.walls import within_walls; within_walls({resize!r})"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_walls_stand():
    code = "from tests.data.compiled.walls import *; a = walled(5); print(ctypes.string_at(a.ctypes.data, 6))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode < 0 and walled(5).tolist() == [0] * 5


@pytest.mark.parametrize("resize", RESIZE)
def test_memory_around_the_target_stays(resize):
    for columns in range(1, 40):
        batch = np.full((3, 5, columns, 3), 7, np.uint8)
        fitted(NOISE, (5, columns, 3), resize, out=batch[1])
        assert (batch[0] == 7).all() and (batch[2] == 7).all()


@pytest.mark.parametrize("content", [None, b"", b"not a library", "another library"])
@pytest.mark.parametrize("resize", RESIZE)
def test_without_it_pixels_are_the_same(absent, monkeypatch, resize, content):
    if content is not None:
        absent.write_bytes(Path(_ctypes.__file__).read_bytes() if isinstance(content, str) else content)
    shapes = [(33, 91, 3), (224, 9, 3), (25, 35, 3), (50, 70, 3)]
    slow = [fitted(NOISE, shape, resize) for shape in shapes]
    assert library() is None
    monkeypatch.setattr(module, "LIBRARY", LIBRARY)
    library.cache_clear()
    assert library() is not None or not LIBRARY.exists()
    assert all(np.array_equal(fitted(NOISE, shape, resize), found) for shape, found in zip(shapes, slow))


def test_address_of_memory_that_may_be_written_or_not():
    fixed = np.frombuffer(b"abc", np.uint8)
    assert not fixed.flags.writeable and address(fixed) == fixed.ctypes.data
    assert address(NOISE) == NOISE.ctypes.data


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_it_is_of_this_source(root):
    assert subprocess.run([root / "scripts/compile"], check=False).returncode == 0
    made = LIBRARY.stat().st_mtime
    assert all(made >= source.stat().st_mtime for source in LIBRARY.parent.glob("*.c"))


def test_every_filter_but_pillows_rare_ones_is_compiled():
    assert set(FILTERS) - set(RESIZE) == {"nearest", "lanczos"}
