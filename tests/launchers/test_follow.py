"""Following a job to its end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import LaunchError
from airflow_mlplat.launchers import JobState, Limits, ProcessLauncher
from airflow_mlplat.launchers.follow import follow


def test_every_line_is_told_once_and_the_last_look_says_that_it_ended(tmp_path: Path) -> None:
    script = "import time\nfor n in range(5): print(n, flush=True); time.sleep(0.1)"
    launcher = ProcessLauncher(tmp_path, command=lambda spec, folder: [sys.executable, "-c", script])
    handle = launcher.submit(JobSpec("train", "x", "/store", "c", "i"), Limits(), {})
    told, states = [], []
    for state, lines in follow(launcher, handle):
        told += lines
        states.append(state)
        time.sleep(0.03)
    assert told == ["0", "1", "2", "3", "4"]
    assert states[-1] is JobState.ENDED
    assert set(states[:-1]) == {JobState.RUNNING}


class Flaky:
    """A launcher whose engine is away for some looks, or for some reads of the log."""

    def __init__(self, failures: int, log: str = "", unread: tuple[int, ...] = ()) -> None:
        self.failures, self.log, self.unread, self.reads = failures, log, unread, 0

    def state(self, handle):
        self.failures -= 1
        if self.failures >= 0:
            raise LaunchError("the engine does not answer")
        return JobState.ENDED

    def logs(self, handle, offset):
        self.reads += 1
        if self.reads in self.unread:
            raise LaunchError("the engine does not answer")
        part = self.log[offset : offset + 4]
        return part, offset + len(part)


def test_an_engine_that_is_away_for_a_moment_is_waited_for():
    assert [state for state, _ in follow(Flaky(3), None)] == [JobState.RUNNING] * 3 + [JobState.ENDED]


def test_one_that_stays_away_is_told(monkeypatch):
    monkeypatch.setattr("airflow_mlplat.launchers.follow.PATIENCE_SECONDS", 0.0)
    with pytest.raises(LaunchError, match="does not answer"):
        list(follow(Flaky(1000), None))


def test_the_rest_of_a_long_log_comes_in_parts():
    looks = list(follow(Flaky(0, "a\nb\nc\nd\ne\n"), None))
    assert looks == [
        (JobState.RUNNING, ["a", "b"]), (JobState.RUNNING, ["c", "d"]), (JobState.ENDED, ["e"])
    ]  # fmt: skip


@pytest.mark.parametrize("unread", [(1,), (2,), (3, 4), (1, 2, 3, 4, 5)], ids=str)
def test_an_engine_that_is_away_while_the_last_is_read(unread):
    looks = list(follow(Flaky(0, "a\nb\nc\nd\ne\n", unread), None))
    assert [line for _, lines in looks for line in lines] == ["a", "b", "c", "d", "e"]
    assert [state for state, _ in looks].count(JobState.ENDED) == 1 and looks[-1][0] is JobState.ENDED
