"""The code version changes with the job half, and with nothing else."""

from __future__ import annotations

import shutil

import pytest

from airflow_mlplat.launchers.code_version import JOB_HALF, code_version


@pytest.fixture
def package(root, tmp_path):
    """A copy of the package that may be changed."""
    return shutil.copytree(root / "airflow_mlplat", tmp_path / "a", ignore=shutil.ignore_patterns("__pycache__"))


def fresh(package):
    code_version.cache_clear()
    return code_version(package)


def test_the_same_source_elsewhere_is_the_same_version(package):
    assert fresh(package) == code_version()


@pytest.mark.parametrize(
    "name", ["contract.py", "store/store.py", "runtime/runner.py", "compiled/linear.c", "compiled/crc32c.h"]
)
def test_changed_source_of_the_job_half(package, name):
    before = fresh(package)
    with (package / name).open("a") as file:
        file.write("# changed\n")
    assert fresh(package) != before


def test_a_new_or_renamed_file(package):
    before = fresh(package)
    (package / "store/new.py").write_text("")
    new = fresh(package)
    (package / "store/new.py").rename(package / "store/newer.py")
    assert len({before, new, fresh(package)}) == 3


def test_the_airflow_half_and_compiled_files_do_not_matter(package):
    before = fresh(package)
    (package / "launchers/process.py").write_text("")
    (package / "store/__pycache__").mkdir()
    (package / "store/__pycache__/x.pyc").write_bytes(b"x")
    (package / "compiled/libmlplat.so").write_bytes(b"x")
    assert fresh(package) == before


def test_all_of_the_job_half_is_there(root):
    for name in JOB_HALF:
        assert (root / "airflow_mlplat" / name).exists()
