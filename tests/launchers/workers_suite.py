"""What every launcher must pass that runs jobs of several workers: a mixin beside `LauncherSuite`."""

from __future__ import annotations

import pytest

from airflow_mlplat.errors import BuildError, JobDiedError
from airflow_mlplat.launchers import Handle, Launcher
from tests.launchers.suite import of_workers, until


class WorkersSuite:
    """Jobs of several workers: started together, found again together, ended together."""

    def log(self, launcher: Launcher, handle: Handle, worker: int) -> str:
        """What a worker has written."""
        path = launcher.directory(handle).workers()[worker].log
        return path.read_text() if path.exists() else ""

    def all_ready(self, launcher: Launcher, handle: Handle) -> None:
        """Wait until every worker is at work."""
        count = len(launcher.directory(handle).workers())
        until(lambda: all("ready\n" in self.log(launcher, handle, number) for number in range(count)), 30)

    def test_workers_reach_each_other(self, launcher):
        handle = launcher.submit(of_workers(3, greet=True))
        self.end(launcher, handle, 30)
        assert launcher.result(handle).error is None
        assert all("done\n" in self.log(launcher, handle, number) for number in range(3))

    def test_they_are_found_again_together(self, launcher, tmp_path):
        job = of_workers(2, seconds=60)
        handle = launcher.submit(job)
        self.all_ready(launcher, handle)
        assert self.make(tmp_path).submit(job) == handle
        starts = [worker.work / "starts.txt" for worker in launcher.directory(handle).workers()]
        assert [len(path.read_text().splitlines()) for path in starts] == [1, 1]
        launcher.cancel(handle)

    def test_all_are_cancelled_together(self, launcher):
        handle = launcher.submit(of_workers(2, seconds=60))
        self.all_ready(launcher, handle)
        launcher.cancel(handle)
        with pytest.raises(JobDiedError, match="was cancelled"):
            launcher.result(handle)

    @pytest.mark.parametrize("worker", [0, 1])
    def test_when_one_is_killed_the_job_ends(self, launcher, worker):
        others = {f"worker_{1 - worker}": {"seconds": 60}, f"worker_{worker}": {"kill": 9}}
        handle = launcher.submit(of_workers(2, **others))
        self.end(launcher, handle)
        named = ", its worker 1, was killed" if worker else r" was killed"
        with pytest.raises(JobDiedError, match=named + r" by signal 9"):
            launcher.result(handle)

    def test_when_one_leaves_without_a_result_the_job_ends(self, launcher):
        handle = launcher.submit(of_workers(2, worker_0={"seconds": 60}, worker_1={"exit": 0}))
        self.end(launcher, handle, 30)
        with pytest.raises(BuildError, match=", its worker 1, exited with code 0"):
            launcher.result(handle)

    def test_the_users_error_of_one_is_the_jobs(self, launcher):
        handle = launcher.submit(of_workers(2, worker_0={"error": "platform"}, worker_1={"error": "user"}))
        self.end(launcher, handle)
        assert launcher.result(handle).error.message == "a fault of the user"

    def test_one_that_is_done_waits_for_none(self, launcher):
        handle = launcher.submit(of_workers(2, worker_0={"seconds": 1.5}))
        self.end(launcher, handle)
        assert launcher.result(handle).error is None

    def test_all_go_on_from_the_first_ones_checkpoints(self, launcher):
        job = of_workers(2, checkpoints=True, worker_0={"kill": 9})
        handle = launcher.submit(job)
        self.end(launcher, handle)
        (launcher.directory(handle).work / "checkpoints/step-1.npz").touch()
        handle = launcher.submit(job)
        self.end(launcher, handle)
        for number in (0, 1):
            assert "sees ['step-1.npz']\ncannot write: Read-only file system\n" in self.log(launcher, handle, number)
