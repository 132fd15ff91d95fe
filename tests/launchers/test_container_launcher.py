"""What launchers of containers share, with an engine that notes what it is asked. Real ones: their own tests."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from pathlib import Path

import pytest

from airflow_mlplat.contract import OUTBOX, WORKER_CHECKPOINTS, WORKERS, JobError, JobResult, JobSpec
from airflow_mlplat.errors import ConfigError, LaunchError
from airflow_mlplat.launchers import JobState, Limits
from airflow_mlplat.launchers.container import PYTHON, Mount
from airflow_mlplat.launchers.container_launcher import ContainerLauncher
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.directory_launcher import given_files

SPEC = JobSpec("test", "digits", "/store", code_version="c", image="image@sha256:1+gpu")


class Engine(ContainerLauncher):
    """Notes what is asked of it."""

    name = "noting"

    def __init__(self, jobs: Path, **options) -> None:
        super().__init__(jobs, 900, {"MLPLAT_CACHE": "/cache"}, **options)
        self.living, self.down, self.asked = False, False, []

    def told(self, doing):
        self.asked.append(doing)
        return contextlib.nullcontext()

    def check(self, spec, limits):
        if limits.network == "nowhere":
            raise ConfigError("no such network")
        return [Mount(f"/run/secrets/{name}", name) for name in limits.secrets]

    def vacate(self, directory):
        return self.living

    def start(self, directory, launch, image, mounts):
        self.started, self.living = (directory, launch, image, mounts), True

    def state(self, handle):
        return JobState.RUNNING if self.living else JobState.ENDED

    def alive(self, directory):
        return self.living

    def hosts(self, directory, workers):
        return [f"one-{number}" for number in range(workers)]

    def remove(self, directory):
        self.asked.append("remove")

    def answer(self):
        if self.down:
            raise LaunchError("the engine does not answer")


@pytest.fixture
def engine(tmp_path):
    """One whose jobs see a folder as their store."""
    return Engine(tmp_path / "jobs", grant=lambda spec, folder: folder)


def leave_result(directory: Path, error=None) -> None:
    result = JobResult(SPEC.key, SPEC.stage, error=error)
    (directory / "work/0/result.json").write_text(json.dumps(result.to_json()))


def test_a_job_is_prepared_and_started(engine):
    handle = engine.submit(SPEC, Limits(secrets=("s",)), {"dag_id": "d"})
    directory, launch, image, mounts = engine.started
    assert (str(directory.path), image) == (handle.directory, SPEC.image)
    assert launch.command == [
        PYTHON,
        "-I",
        "-u",
        "-m",
        "airflow_mlplat.runtime",
        str(engine.directory(handle).work / "spec.json"),
    ]
    assert launch.labels == {
        "dag_id": "d",
        "airflow-mlplat.installation": engine.installation,
        "airflow-mlplat.job": SPEC.key,
        "airflow-mlplat.launcher": "noting",
    }
    assert launch.variables == {OUTBOX: str(engine.directory(handle).outbox)}
    told, work, granted = (f"{handle.directory}/{name}" for name in ("told", "work", "store"))
    parts = [Mount(told, told), Mount(f"{work}/0", work, writable=True, each=True), Mount("/store", granted)]
    assert mounts == [*parts, Mount("/run/secrets/s", "s")]
    assert engine.spec(handle) == SPEC
    assert engine.state(handle) is JobState.RUNNING


def test_workers_are_told_of_each_other(engine):
    handle = engine.submit(dataclasses.replace(SPEC, workers=2))
    _, launch, _, _ = engine.started
    assert launch.variables[WORKERS] == "one-0:29500,one-1:29500"
    assert launch.variables[WORKER_CHECKPOINTS] == f"{handle.directory}/checkpoints"
    assert [worker.work.name for worker in engine.directory(handle).workers()] == ["0", "1"]
    assert (engine.directory(handle).workers()[1].work / "spec.json").exists()


def test_a_living_job_is_found_and_its_lease_renewed(engine):
    handle = engine.submit(SPEC)
    lease = engine.directory(handle).lease
    os.utime(lease, (0, 0))
    del engine.started
    assert engine.submit(SPEC) == handle
    assert not hasattr(engine, "started")
    assert lease.stat().st_mtime > 0


def test_a_job_that_has_just_ended_well_is_not_started_anew(engine):
    handle = engine.submit(SPEC)
    engine.living = False
    leave_result(Path(handle.directory))
    del engine.started
    engine.submit(SPEC)
    assert not hasattr(engine, "started")
    engine.submit(dataclasses.replace(SPEC, store="/elsewhere"))
    assert hasattr(engine, "started")


def test_what_ended_well_is_removed_with_what_it_was_granted(engine):
    handle = engine.submit(SPEC)
    granted, engine.living = engine.directory(handle).store, False
    granted.mkdir()
    leave_result(Path(handle.directory), JobError("user", "SomeError", "no"))
    engine.result(handle)
    assert "remove" not in engine.asked
    assert granted.exists()
    leave_result(Path(handle.directory))
    engine.result(handle)
    assert "remove" in engine.asked
    assert not granted.exists()


def test_what_an_engine_cannot_do_is_refused_before_anything_is_written(engine):
    with pytest.raises(ConfigError, match="no such network"):
        engine.submit(SPEC, Limits(network="nowhere"))
    assert not JobDirectory(engine.jobs / SPEC.key).spec.exists()


def test_an_engine_that_is_down_is_told_once_and_only_where_something_may_be_swept(engine):
    handle, engine.down, engine.living = engine.submit(SPEC), True, False
    assert engine.sweep() == []
    os.utime(engine.directory(handle).lease, (0, 0))
    with pytest.raises(LaunchError, match="the engine does not answer"):
        engine.sweep()
    engine.down = False
    assert engine.sweep(dry_run=True) == engine.sweep() == [handle.job_key]
    assert engine.sweep(dry_run=True) == []


@pytest.mark.parametrize("starts", [True, False], ids=["started", "found"])
def test_a_job_that_is_submitted_during_a_sweep_stays(engine, starts):
    handle = engine.submit(SPEC)
    directory, engine.living = engine.directory(handle), not starts
    os.utime(directory.lease, (0, 0))
    engine.answer = lambda: engine.submit(SPEC)  # what is asked between the list of jobs and a look at each
    assert engine.sweep() == []
    assert directory.spec.exists() and "remove" not in engine.asked


def test_a_job_that_is_submitted_while_the_sweep_waits_for_its_lock_stays(engine):
    handle = engine.submit(SPEC)
    directory = engine.directory(handle)
    os.utime(directory.lease, (0, 0))

    def told(doing):
        if doing.startswith("remove"):  # the lock is held: until now a submit had it
            directory.renew_lease()
        return contextlib.nullcontext()

    engine.living, engine.told = False, told
    assert engine.sweep() == []
    assert directory.spec.exists() and "remove" not in engine.asked


def test_the_files_of_jobs_whose_directories_are_there(engine):
    assert given_files(engine.jobs) == set()
    engine.submit(dataclasses.replace(SPEC, files={"build.py": "1" * 64}))
    assert given_files(engine.jobs) == {"1" * 64}
