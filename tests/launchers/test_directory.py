"""A job's directory: locks, files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from airflow_mlplat.launchers.directory import JobDirectory, open_plain, read_json, write_json


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


def test_json_round_trips_and_leaves_nothing_else(tmp_path):
    write_json(tmp_path / "a.json", {"ä": 1})
    assert read_json(tmp_path / "a.json") == {"ä": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_what_is_no_json_is_none(tmp_path):
    (tmp_path / "a.json").write_text("{")
    assert read_json(tmp_path / "a.json") is None
    assert read_json(tmp_path / "b.json") is None


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_plain_files_are_read(tmp_path, kind):
    """A job may leave anything under these names, and what reads them is not the job."""
    secret, path = tmp_path / "secret.json", tmp_path / "result.json"
    secret.write_text('{"secret": 1}')
    make = {"link": lambda: path.symlink_to(secret), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}
    make[kind]()
    assert read_json(path) is None
    with pytest.raises(FileNotFoundError):
        open_plain(path)
    assert JobDirectory(tmp_path).tail(path, 1) == ""


def test_nothing_is_written_through_a_link(tmp_path):
    outside = tmp_path / "outside"
    directory = JobDirectory(tmp_path / "job")
    directory.path.mkdir()
    directory.cancel.symlink_to(outside)
    directory.ask_to_end()
    directory.exit.symlink_to(outside)
    write_json(directory.exit, {})
    assert not outside.exists()
    assert read_json(directory.exit) == {}


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


def test_json_that_is_too_long_is_none(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("[1, 2]")
    monkeypatch.setattr("airflow_mlplat.launchers.directory.JSON_BYTES", 6)
    assert read_json(path) == [1, 2]
    monkeypatch.setattr("airflow_mlplat.launchers.directory.JSON_BYTES", 5)
    assert read_json(path) is None
    path.write_text("[" * 100_000)
    monkeypatch.setattr("airflow_mlplat.launchers.directory.JSON_BYTES", 1 << 20)
    assert read_json(path) is None
