"""Jobs run the source that their code version names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

import pytest

from airflow_mlplat.errors import LaunchError
from airflow_mlplat.launchers import code_version
from airflow_mlplat.launchers.job_half import forget, supply


def test_the_copy_is_of_that_version_and_can_be_imported(tmp_path):
    copy = supply(tmp_path)
    assert copy.name.split("-")[0] == code_version() == code_version(copy / "airflow_mlplat")
    code = "import airflow_mlplat.runtime.runner as r, airflow_mlplat.stages; print(r.__file__)"
    command, env = [sys.executable, "-c", code], {"PYTHONPATH": str(copy)}
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(copy))
    assert not (copy / "airflow_mlplat/launchers").exists()


def test_what_is_compiled_comes_with_it(root, tmp_path):
    package = shutil.copytree(root / "airflow_mlplat", tmp_path / "airflow_mlplat")
    library = package / "compiled/libmlplat.so"
    library.write_bytes(b"compiled")
    copy = supply(tmp_path / "copies", code_version(package), package)
    assert (copy / library.relative_to(tmp_path)).read_bytes() == b"compiled"
    assert not list(copy.rglob("*.md"))


def test_what_is_compiled_later_or_anew_comes_in_a_copy_of_its_own(root, tmp_path):
    package = shutil.copytree(
        root / "airflow_mlplat", tmp_path / "airflow_mlplat", ignore=shutil.ignore_patterns("*.so")
    )
    library, copies = package / "compiled/libmlplat.so", []
    for content in (None, b"compiled", b"compiled anew"):
        if content is not None:
            library.write_bytes(content)
        copies.append(supply(tmp_path / "copies", code_version(package), package))
        there = copies[-1] / library.relative_to(tmp_path)
        assert (there.read_bytes() if there.exists() else None) == content
    assert len(set(copies)) == 3 and {code_version(copy / "airflow_mlplat") for copy in copies} == {
        code_version(package)
    }


def test_it_is_made_once(tmp_path):
    copy = supply(tmp_path)
    (copy / "mark").touch()
    assert supply(tmp_path) == copy
    assert (copy / "mark").exists()
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]


def test_source_that_changed_under_a_running_process(root, tmp_path):
    package = shutil.copytree(root / "airflow_mlplat", tmp_path / "airflow_mlplat")
    version = code_version(package)
    (package / "contract.py").write_text("changed")
    with pytest.raises(
        LaunchError, match=f"source has changed .* expected {version}; got .* restart Airflow's processes"
    ):
        supply(tmp_path / "copies", package=package)
    assert list((tmp_path / "copies").iterdir()) == []


def test_copies_are_forgotten_when_long_unused(tmp_path):
    copy, old = supply(tmp_path), tmp_path / "old"
    old.mkdir()
    long_ago = time.time() - 2 * 86400
    os.utime(old, (long_ago, long_ago))
    forget(tmp_path, keep_days=1)
    assert copy.exists()
    assert not old.exists()
