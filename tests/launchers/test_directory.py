"""A job's directory: locks, files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import read_json


def test_nothing_is_made_by_looking(tmp_path):
    directory = JobDirectory(tmp_path / "job")
    assert not directory.alive()
    directory.renew_lease()
    assert directory.tail(directory.log, 3) == ""
    assert not directory.path.exists()


def test_alive_as_long_as_the_claim_is_open(tmp_path):
    directory = JobDirectory(tmp_path)
    file = directory.claim()
    assert directory.alive()
    assert directory.claim() is None
    os.close(file)
    assert not directory.alive()


def test_a_claim_passes_to_a_child_and_ends_with_it(tmp_path):
    directory = JobDirectory(tmp_path)
    file = directory.claim()
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(file,)) as child:
        os.close(file)
        assert directory.alive()
        child.kill()
    assert not directory.alive()


def test_claim_patiently_gives_up(tmp_path):
    directory = JobDirectory(tmp_path)
    file = directory.claim()
    assert directory.claim_patiently(0.03) is None
    os.close(file)
    os.close(directory.claim_patiently(0.0))


def test_submitting_makes_the_directory_and_survives_its_removal(tmp_path):
    directory = JobDirectory(tmp_path / "jobs/job")
    with directory.submitting():
        shutil.rmtree(directory.path)
    with directory.submitting():
        assert directory.path.is_dir()


def test_clear_keeps_checkpoints(tmp_path):
    directory = JobDirectory(tmp_path)
    directory.scratch.mkdir()
    for name in (
        "result.json",
        "exit.json",
        "log.txt",
        "cancel",
        "process.json",
        "checkpoint.npz",
        "tmp/x",
    ):
        (tmp_path / name).touch()
    directory.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_tail(tmp_path):
    directory = JobDirectory(tmp_path)
    directory.log.write_text("".join(f"{i}\n" for i in range(10_000)))
    assert directory.tail(directory.log, 2) == "9998\n9999"


def test_ask_to_end(tmp_path):
    directory = JobDirectory(tmp_path)
    directory.ask_to_end()
    directory.ask_to_end({"dag_id": "d"})
    assert read_json(directory.cancel) == {"dag_id": "d"}


def test_apart_all_is_cleared_but_checkpoints(tmp_path):
    directory = JobDirectory(tmp_path / "job", apart=True)
    directory.path.mkdir()
    directory.clear()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (directory.work / "checkpoints").mkdir()
    (directory.work / "checkpoints/step-1.npz").touch()
    (directory.work / "folder/x").mkdir(parents=True)
    (directory.work / "link").symlink_to(outside)
    (directory.work / "ctypes.py").touch()
    for path in (directory.lease, directory.cancel, directory.launch):
        path.touch()
    directory.store.mkdir()
    directory.clear()
    left = {path.relative_to(directory.path).as_posix() for path in directory.path.rglob("*")}
    assert left == {"told", "work", "work/0", "work/0/checkpoints", "work/0/checkpoints/step-1.npz"}
    assert (outside / "file").exists()


def test_other_workers_folders_are_removed(tmp_path):
    directory = JobDirectory(tmp_path / "job", apart=True)
    assert directory.workers() == [directory]
    directory.path.mkdir()
    directory.clear()
    (directory.parts / "1/checkpoints").mkdir(parents=True)
    assert [(worker.worker, worker.work) for worker in directory.workers()] == [
        (0, directory.parts / "0"),
        (1, directory.parts / "1"),
    ]
    directory.clear()
    assert [path.name for path in directory.parts.iterdir()] == ["0"]


def test_checkpoints_that_are_a_link_are_none(tmp_path):
    directory = JobDirectory(tmp_path / "job", apart=True)
    directory.path.mkdir()
    directory.clear()
    (directory.work / "checkpoints").symlink_to(tmp_path)
    directory.clear()
    assert list(directory.work.iterdir()) == []


LOCKED = """
import os, tempfile
from pathlib import Path
from airflow_mlplat.launchers.directory import JobDirectory
if os.geteuid() == 0:
    os.setuid(65532)  # root is refused nothing; once all is imported: the package may be where nobody else may go
with tempfile.TemporaryDirectory() as name:
    for apart in (True, False):
        directory = JobDirectory(Path(name) / str(apart), apart=apart)
        (directory.scratch / "kept/inner").mkdir(parents=True)
        for folder in (directory.scratch / "kept", directory.scratch, *[directory.work] * apart):
            folder.chmod(0o500 if folder.name == "kept" else 0)
        directory.clear()
        assert not directory.scratch.exists()
"""


def test_a_job_may_take_its_own_rights_away():
    assert subprocess.run([sys.executable, "-c", LOCKED], check=False).returncode == 0
