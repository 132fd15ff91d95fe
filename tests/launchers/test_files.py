"""Files that others write, read and written with care."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import open_plain, read_json, write_json


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


def test_json_that_is_too_long_is_none(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    path.write_text("[1, 2]")
    monkeypatch.setattr("airflow_mlplat.launchers.files.JSON_BYTES", 6)
    assert read_json(path) == [1, 2]
    monkeypatch.setattr("airflow_mlplat.launchers.files.JSON_BYTES", 5)
    assert read_json(path) is None
    path.write_text("[" * 100_000)
    monkeypatch.setattr("airflow_mlplat.launchers.files.JSON_BYTES", 1 << 20)
    assert read_json(path) is None


def test_a_socket_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("s")
        assert read_json(tmp_path / "s") is None


LOCKED = """
import os, tempfile
from pathlib import Path
from airflow_mlplat.launchers.files import read_json, remove_tree
if os.geteuid() == 0:
    os.setuid(65532)  # once all is imported: the package may be where nobody else may go
with tempfile.TemporaryDirectory() as name:
    folder, kept = Path(name) / "tree", Path(name) / "kept"
    kept.touch(mode=0o640)
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/b/x").touch()
    (folder / "a/outside").symlink_to(kept)
    (folder / "a/b").chmod(0)
    (folder / "a").chmod(0)
    folder.chmod(0o500)
    secret = Path(name) / "unreadable"
    secret.touch(mode=0)
    assert read_json(secret) is None
    remove_tree(folder)
    assert not folder.exists()
    assert kept.stat().st_mode & 0o777 == 0o640
"""


def test_rights_that_were_taken_hinder_nothing():
    subprocess.run([sys.executable, "-c", LOCKED], check=True)
