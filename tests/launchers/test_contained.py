"""The main process of a container, without a container: it needs none."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from airflow_mlplat.launchers import Limits
from airflow_mlplat.launchers.contained import Relay
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import write_json


@pytest.fixture
def supervise(tmp_path):
    """A function that starts Python code as a job."""
    directory = JobDirectory(tmp_path, apart=True)
    directory.clear()

    def run(code: str) -> subprocess.Popen:
        launch = {"command": [sys.executable, "-S", "-u", "-c", code], "environment": {"B": "2"}, "token": "t"}
        write_json(directory.launch, {**launch, "limits": Limits().to_json(), "orphan_seconds": 900})
        directory.lease.touch()
        command = [sys.executable, "-m", "airflow_mlplat.launchers.contained", str(tmp_path)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return run


def ended(process: subprocess.Popen, folder) -> tuple[int, str, dict]:
    """Exit code, output and `exit.json`."""
    output, _ = process.communicate(timeout=30)
    return process.returncode, output, json.loads((folder / "work/0/exit.json").read_text())


def test_output_goes_to_the_log_and_to_its_own(supervise, tmp_path):
    code, output, ending = ended(supervise("print('a' * 200_000); print('end')"), tmp_path)
    assert (code, ending["reason"], ending["exit_code"]) == (0, "exited", 0)
    assert output == (tmp_path / "work/0/log.txt").read_text() == "a" * 200_000 + "\nend\n"


def test_it_exits_as_the_job_does(supervise, tmp_path):
    assert ended(supervise("import sys; sys.exit(64)"), tmp_path)[0] == 64
    (tmp_path / "work/0/exit.json").unlink()
    assert ended(supervise("import os; os.kill(os.getpid(), 11)"), tmp_path)[0] == 128 + signal.SIGSEGV


def test_sigterm_ends_the_job(supervise, tmp_path):
    process = supervise("import time; print('ready'); time.sleep(60)")
    assert process.stdout.readline() == "ready\n"
    process.terminate()
    code, _, ending = ended(process, tmp_path)
    assert (code, ending["reason"]) == (128 + signal.SIGTERM, "stopped")


def test_sigterm_for_a_cancelled_job(supervise, tmp_path):
    process = supervise("import time; print('ready'); time.sleep(60)")
    process.stdout.readline()
    JobDirectory(tmp_path, apart=True).ask_to_end()
    process.terminate()
    assert ended(process, tmp_path)[2]["reason"] == "cancelled"


def test_the_job_has_the_images_variables_and_its_own(supervise, tmp_path, monkeypatch):
    monkeypatch.setenv("A", "1")
    assert ended(supervise("import os; print(os.environ['A'], os.environ['B'])"), tmp_path)[1] == "1 2\n"


def test_a_directory_that_is_not_mounted(tmp_path):
    command = [sys.executable, "-m", "airflow_mlplat.launchers.contained", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "is the job's directory mounted?" in done.stderr


def test_relay_copies_what_is_new(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    with source.open("w") as writer, target.open("wb") as copy:
        relay = Relay(source, copy.fileno())
        for text in ("one", "", "two"):
            writer.write(text)
            writer.flush()
            relay.copy()
    assert target.read_text() == "onetwo"


def test_relay_copies_no_more_than_it_may(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"x" * 200_000)
    with target.open("wb") as copy:
        relay = Relay(source, copy.fileno())
        relay.copy(100_000)
        assert 100_000 <= target.stat().st_size < 200_000
        relay.copy()
    assert target.stat().st_size == 200_000


def test_relay_keeps_to_the_file_that_it_opened(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    with target.open("wb") as copy:
        relay = Relay(source, copy.fileno())
        source.unlink()
        source.symlink_to("/etc/passwd")
        relay.copy()
    assert target.read_bytes() == b""
