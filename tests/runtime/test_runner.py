"""A job from its spec file to its result, in processes of their own."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_mlplat.contract import WORKER, WORKER_CHECKPOINTS, WORKERS, ExitCode, JobResult, JobSpec
from airflow_mlplat.errors import ConfigError, SpecError
from airflow_mlplat.runtime.runner import STOPPED, load_trainer, run
from airflow_mlplat.store import open_store

JOB = Path(__file__).parent / "job.py"


@pytest.fixture
def spec(tmp_path):
    """A function that makes the spec of a stage."""

    def make(stage, framework=None, **params):
        store = str(tmp_path / "store")
        return JobSpec(stage, "digits", store, code_version="c", image="i", params=params, framework=framework)

    return make


@pytest.fixture
def start(tmp_path):
    """A function that starts a job in a process, with its stdout in a pipe."""

    def start(document, **told):
        (tmp_path / "spec.json").write_text(json.dumps(document))
        command, env = [sys.executable, str(JOB), str(tmp_path / "spec.json")], {**os.environ, **told}
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    return start


@pytest.fixture
def end(tmp_path, start):
    """A function that runs a job to its end: (exit code, result or None, log)."""

    def end(document, **told):
        with start(document, **told) as job:
            log, _ = job.communicate(timeout=60)
        path = tmp_path / "result.json"
        return job.returncode, JobResult.from_json(json.loads(path.read_text())) if path.exists() else None, log

    return end


def test_a_job_commits_its_result_and_writes_it(spec, end):
    work = spec("work")
    code, result, _ = end(work.to_json())
    assert (code, result.error, result.metrics) == (ExitCode.OK, None, {"accuracy": 0.5})
    assert result.stats["samples"] == 3
    assert result.stats["seconds"] >= 0
    store = open_store(work.store)
    assert store.result(work.key) == result
    assert store.manifest(result.outputs["evaluation"])["name"] == "digits"


def test_the_log_has_times_prints_and_warnings(spec, end):
    _, _, log = end(spec("work").to_json())
    assert "\na line of the user's\n" in log
    assert "a library's warning" in log
    lines = log.splitlines()
    assert lines[0].endswith(f"Job {spec('work').key[:12]}: stage work of digits")
    assert lines[0][:4].isdigit()
    assert "is done: evaluation evaluation:digits@" in lines[-1]


def test_a_committed_result_is_taken_from_the_store(spec, end, tmp_path):
    first = end(spec("work").to_json())
    (tmp_path / "result.json").unlink()
    code, result, log = end(spec("work").to_json())
    assert (code, result) == (ExitCode.OK, first[1])
    assert "has the result of job" in log
    assert (tmp_path / "runs.txt").read_text() == "run\n"


def test_of_several_workers_the_first_alone_commits(spec, end):
    work, told = dataclasses.replace(spec("train"), workers=2), {WORKERS: "localhost:1,localhost:2"}
    told[WORKER_CHECKPOINTS] = "/nowhere"
    code, result, log = end(work.to_json(), **told, **{WORKER: "1"})
    assert (code, result.outputs, result.error) == (ExitCode.OK, {}, None)
    assert "stage train of digits, worker 1 of 2" in log
    assert "workers Workers(rank=1, addresses=(('127.0.0.1', 1), ('127.0.0.1', 2))" in log
    assert open_store(work.store).result(work.key) is None
    code, result, _ = end(work.to_json(), **told, **{WORKER: "0"})
    assert (code, open_store(work.store).result(work.key)) == (ExitCode.OK, result)
    assert set(result.outputs) == {"evaluation"}
    code, result, _ = end(work.to_json(), **told, **{WORKER: "1"})
    assert (code, result.outputs) == (ExitCode.OK, {}), "the store has the result already"


def test_several_workers_of_a_stage_that_takes_one(spec, end):
    code, result, _ = end(dataclasses.replace(spec("work"), workers=2).to_json())
    assert (code, result.error.message) == (64, "stage 'work' takes one worker; expected workers 1; got 2.")


@pytest.mark.parametrize(
    ("error", "code", "expected"),
    [
        ("user", 64, ("user", "DataError", "too many bad samples; expected at most 1 %; got 2 %. look at them.")),
        ("platform", 70, ("platform", "StoreError", "the store is gone.")),
        ("bug", 70, ("platform", "ZeroDivisionError", "division by zero")),
        ("exit", 64, ("user", "BuildError", "the job's code called exit; got code 3.")),
    ],
)
def test_failures(spec, end, error, code, expected):
    work = spec("fail", error=error)
    got, result, log = end(work.to_json())
    assert got == code
    assert (result.error.kind, result.error.type, result.error.message) == expected
    assert expected[1] in result.error.traceback
    assert result.error.traceback in log
    assert open_store(work.store).result(work.key) is None


def test_another_contract_version(spec, end):
    work = {**spec("work").to_json(), "contract_version": 99}
    code, result, _ = end(work)
    assert code == ExitCode.PLATFORM_ERROR
    assert "JobSpec of another contract version; expected 1; got 99. install the same" in result.error.message
    assert result.job_key != spec("work").key
    assert result.stage == "work"


@pytest.mark.parametrize("document", [None, {}, {"contract_version": 1, "stage": "work"}])
def test_a_malformed_spec(end, document):
    code, result, _ = end(document)
    assert code in (ExitCode.USER_ERROR, ExitCode.PLATFORM_ERROR)
    assert "JobSpec" in result.error.message


def test_the_key_of_a_spec_that_is_not_understood(spec, end):
    """Both halves compute it alike, or the launcher would not know the result as its job's."""
    _, result, _ = end({**spec("work").to_json(), "stage": 5})
    assert result.error.message.startswith("JobSpec.stage has the wrong type")
    _, other, _ = end({**spec("work").to_json(), "stage": 5, "store": "/elsewhere"})
    assert result.job_key == other.job_key


def test_an_unknown_stage_and_framework(spec, tmp_path):
    assert run(spec("dream"), tmp_path, {"work": None, "train": None}) == ExitCode.USER_ERROR
    assert "unknown stage; expected train | work; got 'dream'." in (tmp_path / "result.json").read_text()
    with pytest.raises(SpecError, match=r"unknown framework; expected a \| b; got 'caffe'"):
        load_trainer("caffe", {"a": "x:y", "b": "x:y"})


def test_a_framework_is_imported_by_name():
    assert load_trainer("path", {"path": "pathlib:Path"}) is Path


def test_a_framework_that_is_not_installed():
    with pytest.raises(
        ConfigError, match=r"'a' cannot be imported in the job's environment; got No module named 'nowhere'"
    ):
        load_trainer("a", {"a": "nowhere:Trainer"})


def test_sigterm_ends_cleanly_and_leaves_no_result(spec, start, tmp_path):
    with start(spec("wait").to_json()) as job:
        assert any("waiting" in line for line in iter(job.stdout.readline, ""))
        job.send_signal(signal.SIGTERM)
        log, _ = job.communicate(timeout=20)
    assert job.returncode == STOPPED == 143
    assert "Stopped by SIGTERM" in log
    assert (tmp_path / "cleaned").exists()
    assert not (tmp_path / "result.json").exists()


STOP = "os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)"
BUILD = "import os, signal, time\ndef build(params):\n    "
USER_CODE = {
    "file": f"import os, signal, time\n{STOP}\n",
    "build": f"{BUILD}{STOP}\n",
    "train": f"{BUILD}pass\ndef train(ctx):\n    {STOP}\n",
    "within try": f"{BUILD}try:\n        {STOP}\n    except Exception:\n        pass\n",
    "failing at the end": f"{BUILD}try:\n        {STOP}\n    finally:\n        1 / 0\n",
}


@pytest.mark.parametrize("where", USER_CODE)
def test_sigterm_in_a_users_code_is_not_its_mistake(spec, end, where):
    work = spec("user", code=USER_CODE[where])
    code, result, log = end(work.to_json())
    assert (code, result) == (STOPPED, None), log
    assert open_store(work.store).result(work.key) is None


def test_a_crash_of_native_code_shows_where(spec, end):
    code, result, log = end(spec("crash").to_json())
    assert (code, result) == (-signal.SIGABRT, None)
    assert "in crash" in log
