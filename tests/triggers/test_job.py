"""Waiting for a job: its log reaches the task, its end fires, a kill cancels it."""

from __future__ import annotations

import asyncio
import sys
import time
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

    def start(script: str, **options: float) -> JobTrigger:
        launcher = ProcessLauncher(load_settings().jobs, command=lambda spec, folder: [sys.executable, "-c", script])
        spec = JobSpec("train", "digits", "/store", "c", "i", params={"script": script})
        handle = launcher.submit(spec, Limits(), {})
        return JobTrigger(handle.to_json(), poll_seconds=0.05, **options)

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
    assert event == {"handle": trigger.handle, "late": False}
    assert told == ["step 0", "step 1", "step 2"]


def test_a_kill_cancels_the_job(submit) -> None:
    from airflow_mlplat.errors import JobDiedError
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.launchers import Handle, JobState

    trigger = submit("import time; print('step 1', flush=True); time.sleep(600)")
    told: list[str] = []
    trigger._log = type("Log", (), {"warning": staticmethod(lambda text, *args: told.append(text % args))})()
    handle = Handle.from_json(trigger.handle)
    launcher = JobHook().launcher("process")
    assert launcher.state(handle) is JobState.RUNNING
    asyncio.run(trigger.on_kill())
    assert launcher.state(handle) is JobState.ENDED
    with pytest.raises(JobDiedError, match="cancelled"):
        launcher.result(handle)
    assert "was cancelled" in told[0]


def test_how_a_job_ended_is_told_though_the_triggerer_cancels_again(submit, monkeypatch) -> None:
    from airflow_mlplat.launchers import ProcessLauncher

    trigger, cancel = submit("import time; time.sleep(600)"), ProcessLauncher.cancel
    told: list[str] = []
    trigger._log = type("Log", (), {"warning": staticmethod(lambda text, *args: told.append(text % args))})()

    def slowly(*arguments) -> None:
        time.sleep(0.5)
        cancel(*arguments)

    monkeypatch.setattr(ProcessLauncher, "cancel", slowly)

    async def killed() -> None:
        task = asyncio.ensure_future(trigger.on_kill())
        for _ in range(2):
            await asyncio.sleep(0.1)
            task.cancel()
        await task

    asyncio.run(killed())
    assert "was cancelled" in told[0]


def test_a_job_whose_time_is_over_is_ended(submit) -> None:
    from airflow_mlplat.hooks.jobs import JobHook
    from airflow_mlplat.launchers import Handle, JobState

    trigger = submit("import time; time.sleep(600)", end_at=time.time() + 0.3)
    assert asyncio.run(asyncio.wait_for(first(trigger), 30)) == {"handle": trigger.handle, "late": True}
    assert JobHook().launcher("process").state(Handle.from_json(trigger.handle)) is JobState.ENDED


def test_it_survives_the_way_to_another_triggerer(submit) -> None:
    from airflow_mlplat.triggers.job import JobTrigger

    trigger = submit("", end_at=5.0)
    path, arguments = trigger.serialize()
    assert path == "airflow_mlplat.triggers.job.JobTrigger"
    assert JobTrigger(**arguments).serialize() == (path, arguments)
