"""What a job's process sets up; its work on SIGTERM is shown in test_runner.py."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from airflow_mlplat.runtime.process import Stopped, stop, stopping


def test_sigterm_raises_once():
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert not stopping()
        with pytest.raises(Stopped) as caught:
            stop(signal.SIGTERM, None)
        assert caught.value.code == 143
        assert not isinstance(caught.value, (Exception, SystemExit)), "what a user's code may catch, or raise"
        assert stopping()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


BLOCKED = """
import ctypes, sys
from airflow_mlplat.runtime.process import insist_on_sigterm, prepare
prepare()
if sys.argv[1] == "insist":
    insist_on_sigterm()
libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(64)
libc.pthread_mutex_lock(mutex)
print("blocked", flush=True)
libc.pthread_mutex_lock(mutex)  # which no signal interrupts, as no collective operation of a framework
"""


@pytest.mark.parametrize(("way", "code"), [("insist", 143), ("wait", None)])
def test_sigterm_ends_what_waits_in_native_code(way, code):
    with subprocess.Popen([sys.executable, "-c", BLOCKED, way], stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "blocked\n"
        time.sleep(0.5)
        job.send_signal(signal.SIGTERM)
        for _ in range(50 if code else 15):
            if job.poll() is not None:
                break
            time.sleep(0.1)
        assert job.returncode == code
        job.kill()
