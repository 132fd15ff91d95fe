"""What holds for everything that is compiled: it touches only what it is given, and can be absent."""

from __future__ import annotations

import _ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.compiled import library as module
from airflow_mlplat.compiled.library import LIBRARY, address, library, library_for, locked_library
from airflow_mlplat.data.fit import FILTERS, fitted
from tests.compiled.walls import noise, walled

RESIZE = ["linear", "box", "bilinear", "bicubic"]
NOISE = noise(50, 70, 3)


@pytest.fixture
def absent(monkeypatch, tmp_path):
    """Whatever is at the path that it gives is the library, nothing at first."""
    monkeypatch.setattr(module, "LIBRARY", tmp_path / "libmlplat.so")
    for found in (library, locked_library):
        found.cache_clear()
    yield tmp_path / "libmlplat.so"
    for found in (library, locked_library):
        found.cache_clear()


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("resize", RESIZE)
def test_nothing_beyond_the_images_is_touched(resize):
    code = f"from tests.compiled.walls import within_walls; within_walls({resize!r})"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_walls_stand():
    code = "from tests.compiled.walls import *; a = walled(5); print(ctypes.string_at(a.ctypes.data, 6))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert done.returncode < 0 and walled(5).tolist() == [0] * 5


@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("resize", RESIZE)
def test_memory_around_the_target_stays(resize):
    for columns in range(1, 40):
        batch = np.full((3, 5, columns, 3), 7, np.uint8)
        fitted(NOISE, (5, columns, 3), resize, out=batch[1])
        assert (batch[0] == 7).all() and (batch[2] == 7).all()


def nothing():
    return None


def a_python_module():
    return Path(_ctypes.__file__).read_bytes()


def of_other_source():
    compiled = LIBRARY.read_bytes()
    assert compiled.count(module._source()) == 1
    return compiled.replace(module._source(), b"0" * 64)


CONTENTS = [nothing, lambda: b"", lambda: b"not a library", a_python_module, of_other_source]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("resize", RESIZE)
def test_without_it_pixels_are_the_same(compiled, absent, monkeypatch, resize, content):
    if content() is not None:
        absent.write_bytes(content())
    shapes = [(33, 91, 3), (224, 9, 3), (25, 35, 3), (50, 70, 3)]
    slow = [fitted(NOISE, shape, resize) for shape in shapes]
    assert library() is None and locked_library() is None
    monkeypatch.setattr(module, "LIBRARY", LIBRARY)
    library.cache_clear()
    assert library() is not None
    assert all(np.array_equal(fitted(NOISE, shape, resize), found) for shape, found in zip(shapes, slow))


def test_arrays_that_it_can_neither_read_nor_write(compiled):
    target = np.empty((7, 9, 3), np.uint8)
    assert library_for(NOISE, target)
    fixed = np.frombuffer(bytes(189), np.uint8).reshape(7, 9, 3)
    for image, other in [
        (NOISE, fixed), (NOISE, target.astype(np.int8)), (NOISE.astype(np.float32), target), (NOISE, target[..., :1]),
        (NOISE, np.empty((7, 9, 1), np.uint8)), (NOISE[:, ::2], target), (NOISE, target[:, ::2]), (NOISE[:0], target),
    ]:  # fmt: skip
        assert library_for(image, other) is None


def test_address_of_memory_that_may_be_written_or_not():
    fixed = np.frombuffer(b"abc", np.uint8)
    assert not fixed.flags.writeable and address(fixed) == fixed.ctypes.data
    assert address(NOISE) == NOISE.ctypes.data


@pytest.fixture
def checkout(root, tmp_path):
    """What `scripts/compile` needs of the project, to be changed, and a function that runs it: its exit code."""
    for name in (
        "scripts/compile",
        *(f"airflow_mlplat/compiled/{path.name}" for path in LIBRARY.parent.glob("*.[ch]")),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, tmp_path / name)

    def run(**environment):
        command = [tmp_path / "scripts/compile"]
        return subprocess.run(command, check=False, env={**os.environ, **environment}, capture_output=True).returncode

    return tmp_path / "airflow_mlplat/compiled", run


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_it_is_compiled_when_its_source_is_another(checkout):
    folder, run = checkout
    assert run() == 0
    made, source = (folder / LIBRARY.name).stat(), folder / "linear.c"
    assert run() == 0
    assert (folder / LIBRARY.name).stat().st_ino == made.st_ino
    source.write_text(source.read_text() + "/* changed */")
    os.utime(source, (0, 0))  # times tell nothing: archives, caches and checkouts set them
    assert run() == 0
    assert (folder / LIBRARY.name).stat().st_ino != made.st_ino
    assert {path.suffix for path in folder.iterdir()} == {".c", ".h", ".so"}


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_without_a_compiler_nothing_is_lost(checkout):
    folder, run = checkout
    assert run(CC="no-such-compiler") == 3
    assert run(CC="false") == 3
    assert {path.suffix for path in folder.iterdir()} == {".c", ".h"}
    assert run() == 0
    assert run(CC="no-such-compiler") == 0  # it is there
    (folder / "linear.c").write_text("another")
    assert run(CC="no-such-compiler") == 3
    assert (folder / LIBRARY.name).exists()  # never loaded, since its source is another


def test_every_filter_but_pillows_rare_ones_is_compiled():
    assert set(FILTERS) - set(RESIZE) == {"nearest", "lanczos"}
