"""What every launcher must pass. Subclass `LauncherSuite` and say how to make the launcher."""

from __future__ import annotations

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import JobDiedError, LaunchError, LimitError
from airflow_mlplat.launchers import Handle, JobState, Launcher, Limits

WORKER = Path(__file__).parent / "worker.py"
IMAGE = "airflow-mlplat/suite"
"""What the suite's jobs say that they run in."""


def spec(**params) -> JobSpec:
    """The spec of a job that does what the params say; see `worker.py`."""
    return JobSpec("test", "digits", "/nowhere", code_version="c", image=IMAGE, params=params)


def of_workers(count: int, **params) -> JobSpec:
    """The spec of a job of several workers; `worker-1={…}` is what that one alone does."""
    return dataclasses.replace(spec(**{name.replace("_", "-"): value for name, value in params.items()}), workers=count)


def until(condition: Callable[[], object], seconds: float = 15.0) -> object:
    """Wait for a condition; returns its value."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"not so within {seconds} s")


def processes_of(folder: Path) -> list[str]:
    """Command lines of all living processes that name a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(f"{entry.name} {command}")
    return found


def in_another_process(work: Callable[[], None], *, then_kill: bool = False) -> int:
    """Fork, do the work there; with `then_kill` die by SIGKILL after it. Returns the pid; the caller waits for it."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
        if then_kill:
            os.kill(os.getpid(), signal.SIGKILL)
    finally:
        os._exit(code)


class LauncherSuite:
    """Submit, find again, follow, end: on real jobs."""

    def make(self, folder: Path, **options) -> Launcher:
        """A launcher that keeps its jobs in a folder and runs `worker.py`."""
        raise NotImplementedError

    @pytest.fixture
    def launcher(self, tmp_path) -> Launcher:
        """One with default options."""
        return self.make(tmp_path)

    @pytest.fixture(autouse=True)
    def no_process_stays(self, tmp_path) -> Iterator[None]:
        """After every test all is gone."""
        yield
        until(lambda: not processes_of(tmp_path), 3)

    def starts(self, launcher: Launcher, handle: Handle) -> int:
        """How often a job was started."""
        return len((launcher.directory(handle).work / "starts.txt").read_text().splitlines())

    def end(self, launcher: Launcher, handle: Handle, seconds: float = 15.0) -> None:
        """Wait for a job's end, as a trigger does."""
        until(lambda: launcher.state(handle) is JobState.ENDED, seconds)

    def ready(self, launcher: Launcher, handle: Handle) -> None:
        """Wait until the worker is at work."""
        until(lambda: "ready\n" in launcher.logs(handle, 0)[0])

    def test_a_job_runs_and_leaves_its_result(self, launcher):
        handle = launcher.submit(spec(), labels={"dag": "d", "task": "t"})
        assert launcher.state(handle) is JobState.RUNNING
        self.end(launcher, handle)
        assert launcher.result(handle).job_key == spec().key
        assert launcher.spec(handle) == spec()

    def test_a_handle_survives_json(self, launcher):
        handle = launcher.submit(spec())
        again = Handle.from_json(handle.to_json())
        assert again == handle
        self.end(launcher, again)
        assert launcher.result(again).error is None

    def test_logs_are_followed_by_offset_in_whole_lines(self, launcher):
        handle, text, offset, state = launcher.submit(spec(seconds=0.3)), "", 0, JobState.RUNNING
        while state is JobState.RUNNING:
            state = launcher.state(handle)
            more, offset = launcher.logs(handle, offset)
            assert more == "" or more.endswith("\n")
            text += more
            time.sleep(0.02)
        assert [line.split()[0] for line in text.splitlines()] == ["started", "ready", "done"]
        assert launcher.logs(handle, offset) == ("", offset)

    def test_the_same_work_again_finds_the_living_job(self, launcher, tmp_path):
        first = launcher.submit(spec(seconds=0.6))
        second = self.make(tmp_path).submit(spec(seconds=0.6))
        assert first == second
        self.end(launcher, first)
        assert self.starts(launcher, first) == 1

    def test_other_work_is_another_job(self, launcher):
        first, second = launcher.submit(spec(a=1)), launcher.submit(spec(a=2))
        assert first.directory != second.directory
        self.end(launcher, first)
        self.end(launcher, second)

    def test_two_at_once_start_one_job(self, tmp_path):
        work = spec(seconds=0.6)
        pids = [in_another_process(lambda: self.make(tmp_path).submit(work) and None) for _ in range(4)]
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
        launcher = self.make(tmp_path)
        handle = launcher.submit(work)
        self.end(launcher, handle)
        assert self.starts(launcher, handle) == 1

    def test_an_ended_job_is_started_anew_and_keeps_its_checkpoints(self, launcher):
        handle = launcher.submit(spec(error="platform"))
        self.end(launcher, handle)
        before = launcher.result(handle)
        checkpoint = launcher.directory(handle).work / "checkpoints/step-1.npz"
        checkpoint.parent.mkdir()
        checkpoint.write_bytes(b"weights")
        assert launcher.submit(spec(error="platform")) == handle
        self.end(launcher, handle)
        assert launcher.result(handle).metrics != before.metrics
        assert launcher.logs(handle, 0)[0].count("started") == 1
        assert checkpoint.exists()

    def test_a_job_that_has_just_ended_well_is_not_started_anew(self, launcher):
        """Another task may be about to read its result."""
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        before = launcher.result(handle)
        assert launcher.submit(spec()) == handle
        assert launcher.result(handle) == before
        assert launcher.state(handle) is JobState.ENDED

    def test_it_is_started_anew_for_another_store(self, launcher):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        before = launcher.result(handle)
        launcher.submit(dataclasses.replace(spec(), store="/elsewhere"))
        self.end(launcher, handle)
        assert launcher.result(handle).metrics != before.metrics

    @pytest.mark.parametrize("kind", ["user", "platform"])
    def test_a_failed_job_says_why_and_whose_fault_it_was(self, launcher, kind):
        handle = launcher.submit(spec(error=kind))
        self.end(launcher, handle)
        error = launcher.result(handle).error
        assert (error.kind, error.message) == (kind, f"a fault of the {kind}")

    def test_no_result_before_the_end(self, launcher):
        handle = launcher.submit(spec(seconds=30))
        with pytest.raises(LaunchError, match="has not ended"):
            launcher.result(handle)
        launcher.cancel(handle)

    def test_a_job_that_exits_without_a_result(self, launcher):
        handle = launcher.submit(spec(exit=3))
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"exited with code 3 after .* s, without a result(.|\n)*ready"):
            launcher.result(handle)

    def test_a_job_killed_by_a_signal(self, launcher):
        handle = launcher.submit(spec(kill=9))
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"killed by signal 9 \(SIGKILL\)"):
            launcher.result(handle)

    @pytest.mark.parametrize("params", [{}, {"deaf": True}, {"children": 2}, {"deaf": True, "children": 2}], ids=str)
    def test_cancel_ends_all_within_four_seconds(self, launcher, tmp_path, params):
        handle = launcher.submit(spec(seconds=60, **params))
        self.ready(launcher, handle)
        started = time.monotonic()
        launcher.cancel(handle)
        assert time.monotonic() - started < 4
        assert launcher.state(handle) is JobState.ENDED
        assert processes_of(tmp_path) == []
        with pytest.raises(JobDiedError, match="was cancelled"):
            launcher.result(handle)

    def test_cancel_right_after_submit(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        launcher.cancel(handle)
        assert launcher.state(handle) is JobState.ENDED
        with pytest.raises(JobDiedError, match="was cancelled"):
            launcher.result(handle)

    def test_who_cancelled_it(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        assert launcher.cancelled_by(handle) is None
        launcher.cancel(handle, {"task_id": "t"})
        assert launcher.cancelled_by(handle) == {"task_id": "t"}
        launcher.submit(spec(seconds=60))
        assert launcher.cancelled_by(handle) is None
        launcher.cancel(handle)
        assert launcher.cancelled_by(handle) == {}

    def test_many_may_read_the_result_at_once(self, launcher, tmp_path):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        pids = [in_another_process(lambda: self.make(tmp_path).result(handle) and None) for _ in range(4)]
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4

    def test_a_result_that_is_discarded_is_made_again(self, launcher):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        before = launcher.result(handle)
        launcher.discard(handle)
        launcher.submit(spec())
        self.end(launcher, handle)
        assert launcher.result(handle).metrics != before.metrics

    def test_cancel_of_an_ended_job_changes_nothing(self, launcher):
        handle = launcher.submit(spec())
        self.end(launcher, handle)
        launcher.cancel(handle)
        assert launcher.result(handle).error is None

    def test_a_cancelled_job_can_be_started_again(self, launcher):
        handle = launcher.submit(spec(seconds=0.2))
        launcher.cancel(handle)
        launcher.submit(spec(seconds=0.2))
        self.end(launcher, handle)
        assert launcher.result(handle).error is None

    def test_a_job_outlives_the_worker_that_started_it(self, tmp_path):
        work = spec(seconds=0.6)
        worker = in_another_process(lambda: self.make(tmp_path).submit(work) and None, then_kill=True)
        assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == -signal.SIGKILL
        launcher = self.make(tmp_path)
        handle = launcher.submit(work)
        self.end(launcher, handle)
        assert launcher.result(handle).error is None
        assert self.starts(launcher, handle) == 1

    def test_time_limit(self, launcher):
        handle = launcher.submit(spec(seconds=60), Limits(timeout_seconds=0.5))
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"ended at its time limit of 0\.5 s after"):
            launcher.result(handle)

    def test_memory_limit(self, launcher):
        handle = launcher.submit(spec(eat_bytes=150 << 20, seconds=60), Limits(memory_bytes=100 << 20))
        self.end(launcher, handle)
        with pytest.raises(LimitError, match=r"memory limit of 100 MiB \(it used (1\d\d MiB|all of it)\)"):
            launcher.result(handle)

    def test_a_job_that_nobody_looks_at_ends_itself(self, tmp_path):
        launcher = self.make(tmp_path, orphan_seconds=0.6)
        handle = launcher.submit(spec(seconds=60))
        until(launcher.directory(handle).exit.exists)  # by no look at its state: that would keep it alive
        self.end(launcher, handle)
        assert processes_of(tmp_path) == []
        with pytest.raises(JobDiedError, match=r"ended itself, as no task had looked at it for 0\.6 s"):
            launcher.result(handle)

    def test_looking_keeps_a_job_alive(self, tmp_path):
        launcher = self.make(tmp_path, orphan_seconds=0.6)
        handle = launcher.submit(spec(seconds=1.8))
        self.end(launcher, handle)
        assert launcher.result(handle).error is None

    def test_what_a_job_leaves_running_ends_with_it(self, launcher, tmp_path):
        handle = launcher.submit(spec(children=1))
        self.end(launcher, handle)
        assert processes_of(tmp_path) == []
        assert launcher.result(handle).error is None

    def test_sweep_removes_what_ended_long_ago(self, tmp_path):
        launcher = self.make(tmp_path, keep_days=1)
        old, new = launcher.submit(spec(a=1)), launcher.submit(spec(a=2))
        for handle in (old, new):
            self.end(launcher, handle)
        long_ago = time.time() - 2 * 86400
        os.utime(launcher.directory(old).lease, (long_ago, long_ago))
        assert launcher.sweep(dry_run=True) == launcher.sweep() == [old.job_key]
        assert not Path(old.directory).exists()
        assert launcher.result(new).error is None
        with pytest.raises(JobDiedError, match="has no directory any more"):
            launcher.result(old)

    def test_no_secret_of_ours_reaches_the_job(self, launcher, monkeypatch):
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "secret")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("PYTHONPATH", "/nowhere")
        handle = launcher.submit(spec(show_environment=True))
        self.end(launcher, handle)
        text = launcher.logs(handle, 0)[0]
        assert "'OMP_NUM_THREADS'" in text
        assert not any(name in text for name in ("AIRFLOW", "AWS", "PYTHONPATH"))
