"""The supervisor alone: what it writes about the end of a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from airflow_mlplat.launchers import Limits
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import write_json
from airflow_mlplat.launchers.start import start_supervisor


@pytest.fixture
def supervise(tmp_path):
    """A function that runs Python code as a job and returns `exit.json`."""
    directory = JobDirectory(tmp_path)

    def run(code, orphan_seconds=900, **limits):
        launch = {"command": [sys.executable, "-S", "-c", code], "environment": {}, "token": "t"}
        limits = Limits(**limits).to_json()
        write_json(directory.launch, {**launch, "limits": limits, "orphan_seconds": orphan_seconds})
        directory.lease.touch()
        lock = directory.claim()
        start_supervisor(directory, lock)
        os.close(lock)
        deadline = time.monotonic() + 15
        while directory.alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        return json.loads(directory.exit.read_text())

    return run


def test_exit_code_time_and_memory(supervise):
    ending = supervise("x = bytearray(50 << 20); x[::4096] = b'x' * len(x[::4096]); import time; time.sleep(.2); 1/0")
    assert (ending["reason"], ending["exit_code"], ending["signal"]) == ("exited", 1, None)
    assert 0.2 <= ending["seconds"] < 10
    assert 50 << 20 < ending["peak_memory_bytes"] < 100 << 20


def test_signal(supervise):
    ending = supervise("import os; os.kill(os.getpid(), 11)")
    assert (ending["reason"], ending["exit_code"], ending["signal"]) == ("exited", None, 11)


def test_memory_of_all_processes_together(supervise):
    """Two of 40 MiB are over a limit of 70, each is not."""
    code = "x = b'x' * (40 << 20); import time; time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {code!r}]); " + code
    assert supervise(parent, memory_bytes=70 << 20)["reason"] == "memory limit"


def test_a_job_that_ends_in_the_grace_after_sigterm(supervise):
    code = "import os, signal, time; signal.signal(15, lambda *_: os._exit(9)); time.sleep(60)"
    ending = supervise(code, timeout_seconds=0.5)
    assert (ending["reason"], ending["exit_code"]) == ("time limit", 9)
    assert ending["seconds"] < 1.5


def test_no_signal_is_blocked_in_the_job(supervise, tmp_path):
    supervise("import signal; print(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))")
    assert (tmp_path / "log.txt").read_text() == "[]\n"


def test_no_file_of_ours_is_open_in_the_job(supervise, tmp_path):
    supervise("import os; print(sorted(n for n in map(int, os.listdir('/proc/self/fd')) if n < 1000))")
    # The fourth is the listing itself.
    assert (tmp_path / "log.txt").read_text() == "[0, 1, 2, 3]\n"


def test_it_says_why_it_did_not_start():
    done = subprocess.run(
        [sys.executable, "-m", "airflow_mlplat.launchers.supervisor"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "IndexError" in done.stderr
