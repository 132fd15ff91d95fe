"""The process launcher passes the suite; and what only it can get wrong: its supervisor."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from airflow_mlplat.errors import BuildError, ConfigError, ContractError, JobDiedError, LaunchError
from airflow_mlplat.launchers import Handle, JobState, Limits, ProcessLauncher, code_version
from airflow_mlplat.launchers.directory import JobDirectory
from tests.launchers.suite import WORKER, LauncherSuite, of_workers, processes_of, spec, until


class TestProcessLauncher(LauncherSuite):
    def make(self, folder, **options):
        def command(_, directory):
            return [sys.executable, str(WORKER), str(directory)]

        return ProcessLauncher(folder, command=command, **options)

    def supervisor(self, handle: Handle) -> int:
        """Its pid, once the job is at work."""
        return json.loads((Path(handle.directory) / "process.json").read_text())["supervisor"][0]

    @pytest.mark.parametrize("content", [None, "not JSON", '{"contract_version": 1}'])
    def test_a_result_that_is_old_or_malformed_is_no_reason_not_to_start(self, launcher, content):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        before, result = launcher.result(handle), Path(handle.directory) / "result.json"
        if content is None:
            minute_ago = time.time() - 61
            os.utime(result, (minute_ago, minute_ago))
        else:
            result.write_text(content)
        launcher.submit(spec())
        self.end(launcher, handle)
        assert launcher.result(handle).metrics != before.metrics

    def test_a_killed_supervisor_takes_the_job_along(self, launcher, tmp_path):
        handle = launcher.submit(spec(seconds=60, children=1))
        self.ready(launcher, handle)
        os.kill(self.supervisor(handle), signal.SIGKILL)
        self.end(launcher, handle, 2)
        assert processes_of(tmp_path) == []
        with pytest.raises(JobDiedError, match=r"its supervisor died, without a result\. run the task(.|\n)*ready"):
            launcher.result(handle)

    def test_cancel_with_a_stuck_supervisor(self, launcher, tmp_path):
        handle = launcher.submit(spec(seconds=60, children=1, deaf=True))
        self.ready(launcher, handle)
        os.kill(self.supervisor(handle), signal.SIGSTOP)
        started = time.monotonic()
        launcher.cancel(handle)
        assert time.monotonic() - started < 4
        assert launcher.state(handle) is JobState.ENDED
        assert processes_of(tmp_path) == []
        with pytest.raises(JobDiedError, match="was cancelled"):
            launcher.result(handle)

    def test_cancel_with_a_dead_supervisor(self, launcher, tmp_path):
        handle = launcher.submit(spec(seconds=60, children=2))
        self.ready(launcher, handle)
        os.kill(self.supervisor(handle), signal.SIGKILL)
        until(lambda: not JobDirectory(Path(handle.directory)).alive(), 2)
        launcher.cancel(handle)
        assert processes_of(tmp_path) == []

    def test_cancel_from_where_the_processes_cannot_be_seen(self, launcher, tmp_path):
        """As from a container of its own: the supervisor alone sees the file `cancel`."""
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        known = Path(handle.directory) / "process.json"
        known.write_text(json.dumps({**json.loads(known.read_text()), "machine": "another"}))
        launcher.cancel(handle)
        with pytest.raises(JobDiedError, match="was cancelled"):
            launcher.result(handle)

    def test_another_process_with_a_dead_jobs_pids_is_left_alone(self, launcher):
        handle = launcher.submit(spec(exit=1))
        self.end(launcher, handle)
        directory = Path(handle.directory)
        (directory / "exit.json").unlink()
        known = json.loads((directory / "process.json").read_text())
        ours = [os.getpid(), 1]  # our pid, with another start time
        (directory / "process.json").write_text(json.dumps({**known, "leader": ours, "supervisor": ours}))
        launcher.cancel(handle)
        assert launcher.state(handle) is JobState.ENDED

    def test_sweep_ends_a_job_whose_supervisor_is_stuck(self, tmp_path):
        launcher = self.make(tmp_path, orphan_seconds=5)
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        os.kill(self.supervisor(handle), signal.SIGSTOP)
        long_ago = time.time() - 100
        os.utime(Path(handle.directory) / "lease", (long_ago, long_ago))
        assert launcher.sweep(dry_run=True) == launcher.sweep() == [handle.job_key]
        assert launcher.sweep() == []

    def test_several_workers_are_refused(self, launcher):
        with pytest.raises(ConfigError, match=r"runs jobs of one worker; got 2.*launcher='docker'"):
            launcher.submit(of_workers(2))

    def test_a_command_that_does_not_exist(self, tmp_path):
        launcher = ProcessLauncher(tmp_path, command=lambda *_: ["/nowhere/python"])
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"code 127(.|\n)*cannot start /nowhere/python: .*No such file"):
            launcher.result(handle)

    @pytest.mark.parametrize(
        ("content", "error", "message"),
        [
            ('{"contract_version": 99}', ContractError, "expected 1; got 99"),
            ('{"contract_version": 1}', JobDiedError, "left a malformed result"),
            ("not JSON", BuildError, "without a result"),
        ],
    )
    def test_a_malformed_result(self, launcher, content, error, message):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        (Path(handle.directory) / "result.json").write_text(content)
        with pytest.raises(error, match=message):
            launcher.result(handle)

    def test_the_result_of_another_job(self, launcher):
        one, two = launcher.submit(spec(a=1)), launcher.submit(spec(a=2))
        self.end(launcher, one)
        self.end(launcher, two)
        (Path(one.directory) / "result.json").write_bytes((Path(two.directory) / "result.json").read_bytes())
        with pytest.raises(JobDiedError, match=f"another job's result; expected {one.job_key}; got {two.job_key}"):
            launcher.result(one)

    def test_the_log_begins_anew_with_the_job(self, launcher):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        text, offset = launcher.logs(handle, 0)
        assert launcher.logs(handle, offset + 1000) == (text, offset)

    def test_a_last_line_without_end_is_shown_when_the_job_has_ended(self, launcher):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        (Path(handle.directory) / "log.txt").write_bytes("ende ä".encode()[:-1])
        assert launcher.logs(handle, 0) == ("ende \N{REPLACEMENT CHARACTER}", 6)

    def test_a_launcher_that_cannot_start_its_supervisor(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        launcher = ProcessLauncher(tmp_path, command=lambda *_: ["/bin/true"])
        with pytest.raises(LaunchError, match=r"did not start; got .*No such file"):
            launcher.submit(spec())


@pytest.mark.parametrize("limits", [Limits(cpus=1), Limits(gpu="required"), Limits(network="x", processes=3)], ids=str)
def test_what_processes_cannot_be_held_to(tmp_path, limits):
    with pytest.raises(ConfigError, match=r"the process launcher cannot limit .*use a container: docker"):
        ProcessLauncher(tmp_path).submit(spec(), limits)


def test_the_environment_is_small_and_known(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_HOME", "/secret")
    launcher = ProcessLauncher(tmp_path, command=lambda *_: ["/usr/bin/env"], variables={"MLPLAT_CACHE": "/cache"})
    handle = launcher.submit(spec())
    until(lambda: launcher.state(handle) is JobState.ENDED)
    found = dict(line.partition("=")[::2] for line in launcher.logs(handle, 0)[0].splitlines())
    assert found["PATH"] == "/usr/bin:/usr/local/bin:/usr/bin:/bin"
    assert found["MLPLAT_CACHE"] == "/cache"
    assert not {"AIRFLOW_HOME", "PYTHONPATH"} & set(found)


def test_no_environment_for_a_framework(tmp_path):
    launcher = ProcessLauncher(tmp_path / "jobs", tmp_path, 900.0, {})
    work = dataclasses.replace(spec(), framework="tensorflow")
    with pytest.raises(ConfigError, match=r"/tensorflow/bin/python.* make it: airflow mlplat environments create"):
        launcher.submit(work)
    assert not (tmp_path / "jobs").exists()


def test_the_runtime_is_what_runs_from_the_launchers_own_source(tmp_path):
    """In any environment, even in one that has another version of this package, or none."""
    code_version.cache_clear()
    launcher = ProcessLauncher(tmp_path)
    handle = launcher.submit(spec())
    until(lambda: launcher.state(handle) is JobState.ENDED)
    error = launcher.result(handle).error
    assert (error.kind, error.type) == ("user", "SpecError")
    assert error.message.startswith("unknown stage; expected compare | dataset | evaluate | predict")
    (copy,) = (tmp_path / ".job_half").glob(f"{code_version()}*")
    assert str(copy / "airflow_mlplat/runtime/runner.py") in error.traceback


def test_sweep_passes_over_what_is_no_job(tmp_path):
    (tmp_path / ".DS_Store").write_text("stray")
    (tmp_path / "stray").write_text("stray")
    (tmp_path / "folder").mkdir()
    assert ProcessLauncher(tmp_path).sweep() == []


def test_sweep_forgets_old_source(tmp_path):
    code_version.cache_clear()
    launcher = ProcessLauncher(tmp_path, keep_days=1)
    handle = launcher.submit(spec())
    (old,) = (tmp_path / ".job_half").iterdir()
    os.utime(old, (0, 0))
    if launcher.state(handle) is JobState.RUNNING:
        launcher.sweep()
        assert old.exists() or launcher.state(handle) is JobState.ENDED
    until(lambda: launcher.state(handle) is JobState.ENDED)
    launcher.sweep()
    assert not old.exists()
