"""The process table, on real processes."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time

import pytest

from airflow_mlplat.launchers import processes


@pytest.fixture
def token():
    return secrets.token_hex(8)


@pytest.fixture
def start(token):
    """A function that starts Python code with the token, in a session of its own, and waits until it is ready."""
    children = []

    def start(setup="pass"):
        code = f"import os, signal, time; {setup}; print('ready', flush=True); time.sleep(60)"
        child = subprocess.Popen(
            [sys.executable, "-S", "-c", code],
            env={processes.TOKEN_VARIABLE: token},
            start_new_session=True,
            stdout=subprocess.PIPE,
        )
        children.append(child)
        child.stdout.readline()
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@pytest.fixture
def sleeper(start):
    """One such process."""
    return start()


def test_this_process():
    own = processes.process(os.getpid())
    assert (own.pid, own.parent, own.session) == (os.getpid(), os.getppid(), os.getsid(0))
    assert own.memory_bytes > 1 << 20
    assert processes.table()[own.pid].identity == own.identity
    assert processes.supported()
    assert processes.machine() == processes.machine()


def test_a_zombie_is_dead(sleeper):
    assert processes.process(sleeper.pid) is not None
    os.kill(sleeper.pid, signal.SIGKILL)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet waited for
    assert processes.process(sleeper.pid) is None


def test_a_command_name_with_parentheses_and_spaces(tmp_path, token):
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as child:
        while processes.process(child.pid).session != os.getsid(0):
            time.sleep(0.005)
        assert processes.process(child.pid).parent == os.getpid()
        child.kill()


def test_descendants(sleeper):
    assert sleeper.pid in [entry.pid for entry in processes.descendants(os.getpid(), processes.table())]
    assert processes.descendants(sleeper.pid, processes.table()) == []


def test_processes_are_found_by_token(sleeper, token):
    assert [entry.pid for entry in processes.marked(token)] == [sleeper.pid]
    assert processes.marked("another") == []


def test_processes_are_found_by_session_while_their_leader_lives(sleeper):
    own = processes.process(sleeper.pid)
    assert [entry.identity for entry in processes.marked("another", own.identity)] == [own.identity]
    assert processes.marked("another", (own.pid, own.start_time - 1)) == []


def test_a_pid_that_is_another_process_now_gets_no_signal(sleeper):
    own = processes.process(sleeper.pid)
    processes.send([own._replace(start_time=own.start_time - 1)], signal.SIGKILL)
    time.sleep(0.05)
    assert sleeper.poll() is None


def test_end_asks_first(start, token):
    child = start("signal.signal(15, lambda *_: os._exit(7))")
    assert processes.end(lambda: processes.marked(token), 2.0) == []
    assert child.wait() == 7


def test_end_kills_what_will_not(start, token):
    child = start("signal.signal(15, signal.SIG_IGN)")
    started = time.monotonic()
    assert processes.end(lambda: processes.marked(token), 0.2) == []
    assert time.monotonic() - started >= 0.2
    assert child.wait() == -signal.SIGKILL
