"""One lock for a folder, whoever dies when; what is left belongs to who has it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_mlplat.data.shared.folder import Lock, clear, sweep
from tests.data.shared.conftest import eventually

LEFT = ("socket", "spec.json", "rows.npy", "slot-0123abcd-0", "slot-0123abcd-17")


def test_one_has_it(tmp_path):
    folder = tmp_path / "stream-1"
    assert Lock.take(folder) is None  # there is none to serve
    lock = Lock.take(folder, make=True)
    assert Lock.take(folder) is None
    lock.let_go()
    again = Lock.take(folder)
    assert again.is_current()
    again.remove_folder()
    assert not folder.exists()


def test_a_lock_of_a_folder_that_was_made_anew(tmp_path):
    folder = tmp_path / "stream-1"
    old = Lock.take(folder, make=True)
    (folder / "lock").unlink()
    assert not old.is_current()
    new = Lock.take(folder)
    old.remove_folder()
    assert new.is_current()
    new.remove_folder()


def test_it_ends_with_its_process(tmp_path):
    folder = tmp_path / "stream-1"
    program = "import sys, time; from pathlib import Path; from airflow_mlplat.data.shared.folder import Lock\n"
    program += "lock = Lock.take(Path(sys.argv[1]), make=True); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program, folder], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        assert Lock.take(folder) is None
        process.kill()
    eventually(lambda: Lock.take(folder)).remove_folder()


def test_clear(tmp_path):
    for name in (*LEFT, "lock", "mine.txt", "slot-x"):
        (tmp_path / name).touch()
    clear(tmp_path, keep_spec=True)
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "mine.txt", "slot-x", "spec.json", "rows.npy"}
    clear(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"lock", "mine.txt", "slot-x"}
    clear(tmp_path / "gone")


def test_sweep(tmp_path):
    for number in range(3):
        (tmp_path / f"stream-{number}").mkdir()
        for name in LEFT:
            (tmp_path / f"stream-{number}" / name).touch()
    (tmp_path / "stream-2" / "mine.txt").touch()
    (tmp_path / "other").mkdir()
    served = Lock.take(tmp_path / "stream-1")
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "stream-1", "stream-2"]
    assert [path.name for path in (tmp_path / "stream-2").iterdir()] == ["mine.txt"]
    assert len(list((tmp_path / "stream-1").iterdir())) == len(LEFT) + 1
    served.remove_folder()


def test_a_server_that_cannot_be_started(tmp_path, monkeypatch):
    lock = Lock.take(tmp_path / "stream-1", make=True)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(subprocess.CalledProcessError):
        lock.start_server(60)
    lock.remove_folder()
