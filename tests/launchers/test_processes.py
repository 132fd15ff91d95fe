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

SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def token():
    return secrets.token_hex(8)


@pytest.fixture
def sleeper(token):
    """A process with the token, in a session of its own."""
    child = start(SLEEP, token)
    yield child
    child.kill()
    child.wait()


def start(code, token, **options):
    options = {"start_new_session": True, "stdout": subprocess.PIPE, **options}
    child = subprocess.Popen([sys.executable, "-S", "-c", code], env={processes.TOKEN_VARIABLE: token}, **options)
    while not processes._carries(child.pid, token):  # between fork and exec it has our environment
        time.sleep(0.005)
    child.stdout.close()
    return child


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


def test_end_asks_first(token):
    child = start("import os, signal, time; signal.signal(15, lambda *_: os._exit(7)); time.sleep(60)", token)
    time.sleep(0.3)  # for the handler
    assert processes.end(lambda: processes.marked(token), 1.0) == []
    assert child.wait() in (7, -signal.SIGTERM)


def test_end_kills_what_will_not(token):
    child = start("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)", token)
    time.sleep(0.3)
    started = time.monotonic()
    assert processes.end(lambda: processes.marked(token), 0.2) == []
    assert 0.2 <= time.monotonic() - started < 1
    assert child.wait() == -signal.SIGKILL
