"""What a job is started with."""

from __future__ import annotations

import dataclasses
import json

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.launchers import Limits
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.start import (
    THREAD_VARIABLES,
    Launch,
    devices_of,
    job_environment,
    passed,
    prepare,
    threads_of,
)

SPEC = JobSpec("train", "digits", "/store", code_version="c", image="i", framework="tensorflow", params={"threads": 3})


@pytest.fixture
def launch():
    return Launch(["/env/bin/python", "-V"], Limits(memory_bytes=3), 900, {"dag": "d"})


def test_what_every_job_has(tmp_path, launch):
    found = job_environment(JobDirectory(tmp_path), SPEC, launch, "t")
    assert (found["HOME"], found["TMPDIR"]) == (str(tmp_path), str(tmp_path / "tmp"))
    assert [found[name] for name in THREAD_VARIABLES] == ["3"] * 6
    assert not {"AIRFLOW_HOME", "PYTHONPATH", "PATH"} & set(found)


def test_what_is_passed_is_known(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("AIRFLOW_HOME", "/secret")
    assert passed()["CUDA_VISIBLE_DEVICES"] == "0"
    assert "AIRFLOW_HOME" not in passed()


def test_the_launch_adds_variables(tmp_path, launch):
    launch = dataclasses.replace(launch, variables={"MLPLAT_CACHE": "/cache", "HOME": "/else"})
    found = job_environment(JobDirectory(tmp_path), SPEC, launch, "t")
    assert (found["MLPLAT_CACHE"], found["HOME"]) == ("/cache", str(tmp_path))


@pytest.mark.parametrize(
    ("params", "threads"),
    [({}, 1), ({"threads": 2}, 2), ({"threads": "2"}, 1), ({"threads": True}, 1), ({"threads": 0}, 1)],
)
def test_the_key_alone_says_how_many_threads(tmp_path, launch, params, threads):
    work = dataclasses.replace(SPEC, params=params)
    found = job_environment(JobDirectory(tmp_path), work, launch, "t")
    assert {found[name] for name in THREAD_VARIABLES} == {str(threads_of(work))} == {str(threads)}


def test_what_the_supervisor_finds(tmp_path, launch):
    spec = JobSpec("train", "digits", "/store", code_version="c", image="i")
    directory = JobDirectory(tmp_path)
    prepare(directory, spec, launch)
    written = json.loads(directory.launch.read_text())
    assert JobSpec.from_json(json.loads(directory.spec.read_text())) == spec
    assert (written["command"], written["limits"]["memory_bytes"]) == (["/env/bin/python", "-V"], 3)
    assert (written["orphan_seconds"], written["labels"]) == (900, {"dag": "d"})
    assert directory.lease.exists()
    assert directory.scratch.is_dir()


def test_every_start_has_a_token_of_its_own(tmp_path, launch):
    spec, tokens = JobSpec("train", "digits", "/store", code_version="c", image="i"), set()
    for name in ("a", "b"):
        directory = JobDirectory(tmp_path / name)
        directory.path.mkdir()
        prepare(directory, spec, launch)
        tokens.add(json.loads(directory.launch.read_text())["token"])
    assert len(tokens) == 2


def test_how_many_gpus_a_worker_uses_is_told_by_the_spec():
    counts = {"devices": 2}, {}, {"devices": "2"}
    assert [devices_of(dataclasses.replace(SPEC, params=params)) for params in counts] == [2, 1, 1]


def test_every_worker_has_the_spec_and_its_own_scratch(tmp_path, launch):
    directory = JobDirectory(tmp_path, apart=True)
    prepare(directory, dataclasses.replace(SPEC, workers=2), launch)
    for worker in directory.workers():
        assert json.loads((worker.work / "spec.json").read_text())["workers"] == 2
        assert worker.scratch.is_dir()
    assert (directory.work / "checkpoints").is_dir()
    prepare(directory, SPEC, launch)
    assert [worker.worker for worker in directory.workers()] == [0]
