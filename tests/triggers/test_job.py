"""Waiting for a job: its log reaches the task, its end fires, a kill cancels it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.airflow


@pytest.fixture
def submit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A function that starts a real process as a job, and gives the trigger that waits for it."""
    from airflow_mlplat.contract import JobSpec
    from airflow_mlplat.hooks.settings import load_settings
    from airflow_mlplat.launchers import Limits, ProcessLauncher
    from airflow_mlplat.triggers.job import JobTrigger

    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))

    def start(script: str) -> JobTrigger:
        launcher = ProcessLauncher(load_settings().jobs, command=lambda spec, folder: [sys.executable, "-c", script])
        spec = JobSpec("train", "digits", "/store", "c", "i", params={"script": script})
        handle = launcher.submit(spec, Limits(), {})
        return JobTrigger(handle.to_json(), poll_seconds=0.05)

    return start


async def first(trigger) -> dict:
    async for event in trigger.run():
        return event.payload
    raise AssertionError("no event")


def test_the_log_is_followed_and_the_end_fires(submit) -> None:
    trigger = submit("import time\nfor n in range(3): print('step', n, flush=True); time.sleep(0.2)")
    told: list[str] = []
    trigger._log = type("Log", (), {"info": staticmethod(lambda text, *args: told.append(text % args))})()
    event = asyncio.run(asyncio.wait_for(first(trigger), 30))
    assert event == {"handle": trigger.handle}
    assert told == ["step 0", "step 1", "step 2"]


def test_a_kill_cancels_the_job(submit) -> None:
    from airflow_mlplat.errors import JobDiedError
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.launchers import Handle, JobState

    trigger = submit("import time; time.sleep(600)")
    handle = Handle.from_json(trigger.handle)
    launcher = JobHook().launcher("process")
    assert launcher.state(handle) is JobState.RUNNING
    asyncio.run(trigger.on_kill())
    assert launcher.state(handle) is JobState.ENDED
    with pytest.raises(JobDiedError, match="cancelled"):
        launcher.result(handle)
