"""Following a job to its end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from airflow_mlplat.contract import JobSpec
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
