"""What launchers have in common that run each job in a container: all but what their engine is asked."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from airflow_mlplat.contract import OUTBOX, JobResult, JobSpec, digest
from airflow_mlplat.launchers import container
from airflow_mlplat.launchers.base import Handle, JobState, Limits
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.directory_launcher import DirectoryLauncher, fresh
from airflow_mlplat.launchers.start import Launch, prepare

INSTALLATION_LABEL, JOB_LABEL = "airflow-mlplat.installation", "airflow-mlplat.job"


class ContainerLauncher(DirectoryLauncher):
    """The half of a `Launcher` that prepares containers' folders and says when they are started and removed.

    Args:
        jobs: Folder of the jobs' directories.
        orphan_seconds: A job that nobody asked for its state for so long ends itself.
        variables: Environment variables that every job gets.
        grant: Says which folder a job sees as its store; None: none.
        keep_days: How long `sweep` leaves what an ended job left.
        command: What to run for a spec in a directory, instead of the runtime.
    """

    own_folder: str
    """Name of the launcher's folder beside the jobs' directories, which no job sees; there once a job was started."""

    def __init__(
        self,
        jobs: Path,
        orphan_seconds: float = 900,
        variables: Mapping[str, str] | None = None,
        *,
        grant: container.Grant | None = None,
        keep_days: float = 7,
        command: Callable[[JobSpec, Path], list[str]] = container.runtime_command,
    ) -> None:
        super().__init__(jobs, orphan_seconds, keep_days)
        self._variables, self._grant, self._command = dict(variables or {}), grant, command

    def told(self, doing: str) -> AbstractContextManager[None]:
        """Turns what the engine and its client raise into errors of ours."""
        raise NotImplementedError

    def check(self, spec: JobSpec, limits: Limits) -> list[container.Mount]:
        """What a job with these limits sees beside what every job does.

        Raises:
            ConfigError: This engine cannot run the job so.
        """
        raise NotImplementedError

    def vacate(self, directory: JobDirectory) -> bool:
        """Remove the container of a job that has ended; whether there is one of a living job instead."""
        raise NotImplementedError

    def start(self, directory: JobDirectory, launch: Launch, image: str, mounts: list[container.Mount]) -> None:
        """Start the container of a job whose directory is prepared."""
        raise NotImplementedError

    def remove(self, directory: JobDirectory) -> None:
        """Remove the container of a job that has ended, if it is there."""
        raise NotImplementedError

    def submit(self, spec: JobSpec, limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Handle:
        """See `Launcher.submit`."""
        directory = JobDirectory(self.jobs / spec.key)
        with directory.submitting(), self.told(f"start job {spec.key[:12]}"):
            if self.vacate(directory) or fresh(directory, spec):
                directory.renew_lease()
            else:
                self._start(spec, directory, limits or Limits(), dict(labels or {}))
        return self.handle(spec)

    def _start(self, spec: JobSpec, directory: JobDirectory, limits: Limits, labels: dict[str, str]) -> None:
        others = self.check(spec, limits)
        labels = {**labels, INSTALLATION_LABEL: self.installation, JOB_LABEL: spec.key}
        variables = {**self._variables, OUTBOX: str(directory.outbox)}
        launch = Launch(self._command(spec, directory.path), limits, self.orphan_seconds, labels, variables)
        prepare(directory, spec, launch)
        container.hand_over(directory)
        granted = self._granted(directory)
        granted.parent.mkdir(exist_ok=True)
        shutil.rmtree(granted, ignore_errors=True)
        readable = None if self._grant is None else self._grant(spec, granted)
        mounts = container.mounts(spec, directory, readable, self._variables) + others
        self.start(directory, launch, spec.image, mounts)

    def state(self, handle: Handle) -> JobState:
        """See `Launcher.state`."""
        directory = JobDirectory(Path(handle.directory))
        directory.renew_lease()
        return JobState.RUNNING if self.alive(directory) else JobState.ENDED

    def result(self, handle: Handle) -> JobResult:
        """See `Launcher.result`. A container that ended well is removed; others stay for `sweep`."""
        directory, result = JobDirectory(Path(handle.directory)), super().result(handle)
        if result.error is None:
            with self.told(f"remove the container of job {handle.job_key[:12]}"):
                self.remove(directory)
            shutil.rmtree(self._granted(directory), ignore_errors=True)
        return result

    @property
    def installation(self) -> str:
        """The value of `INSTALLATION_LABEL`: two installations on one engine may have jobs of the same key."""
        return digest(str(self.jobs))[:12]

    def _container_name(self, directory: JobDirectory) -> str:
        return f"mlplat-{directory.path.name[:24]}-{self.installation}"

    def _granted(self, directory: JobDirectory) -> Path:
        """Beside the job's directory, where the job cannot write."""
        return self.jobs / self.own_folder / directory.path.name
