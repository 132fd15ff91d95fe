"""What launchers have in common that run each job in a container: all but what their engine is asked."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from airflow_mlplat.contract import OUTBOX, WORKER_CHECKPOINTS, WORKERS, JobResult, JobSpec, digest
from airflow_mlplat.errors import MlplatError
from airflow_mlplat.launchers import container, ending
from airflow_mlplat.launchers.base import Handle, Limits
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.directory_launcher import DirectoryLauncher, fresh
from airflow_mlplat.launchers.files import read_json, remove_tree
from airflow_mlplat.launchers.start import Launch, devices_of, prepare

LOG = logging.getLogger(__name__)
INSTALLATION_LABEL, JOB_LABEL = "airflow-mlplat.installation", "airflow-mlplat.job"
LAUNCHER_LABEL = "airflow-mlplat.launcher"


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

    def directory(self, handle: Handle) -> JobDirectory:
        """A job's directory, of which the job writes in a part alone."""
        return JobDirectory(Path(handle.directory), apart=True)

    def outbox(self, handle: Handle) -> Path | None:
        """See `Launcher.outbox`."""
        return self.directory(handle).outbox

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
        """Remove the containers of a job that has ended; whether there are those of a living job instead."""
        raise NotImplementedError

    def start(self, directory: JobDirectory, launch: Launch, image: str, mounts: list[container.Mount]) -> None:
        """Start the containers of a job whose directory is prepared, one for each of its workers."""
        raise NotImplementedError

    def hosts(self, directory: JobDirectory, workers: int) -> list[str]:
        """The names under which a job's workers reach each other, in their order."""
        raise NotImplementedError

    def remove(self, directory: JobDirectory) -> None:
        """Remove the containers of a job that has ended, if they are there."""
        raise NotImplementedError

    def answer(self) -> None:
        """Ask the engine for something small; what its client raises says that it is not there."""
        raise NotImplementedError

    def release(self, directory: JobDirectory) -> None:
        """Give back what a job that has ended needs no more, while its containers stay to be looked at."""

    def submit(self, spec: JobSpec, limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Handle:
        """See `Launcher.submit`."""
        handle = self.handle(spec)
        directory = self.directory(handle)
        with directory.submitting(), self.told(f"start job {spec.key[:12]}"):
            # A good result is never too old: what the job made is in its outbox alone.
            if self.vacate(directory) or fresh(directory, spec, math.inf):
                directory.renew_lease()
            else:
                self._start(spec, directory, limits or Limits(), dict(labels or {}))
        return handle

    def _start(self, spec: JobSpec, directory: JobDirectory, limits: Limits, labels: dict[str, str]) -> None:
        others = self.check(spec, limits)
        labels = {**labels, INSTALLATION_LABEL: self.installation, JOB_LABEL: spec.key, LAUNCHER_LABEL: self.name}
        cache = self._variables if container.local_store(spec) is None else {}
        variables = {**cache, OUTBOX: str(directory.outbox)}
        if spec.workers > 1:
            addresses = ",".join(f"{host}:{container.WORKER_PORT}" for host in self.hosts(directory, spec.workers))
            variables.update({WORKERS: addresses, WORKER_CHECKPOINTS: str(directory.checkpoints)})
        command = self._command(spec, directory.work)
        launch = Launch(command, limits, self.orphan_seconds, labels, variables, devices_of(spec))
        prepare(directory, spec, launch)
        container.hand_over(directory)
        readable = None if self._grant is None else self._grant(spec, directory.store)
        self.start(directory, launch, spec.image, container.mounts(directory, spec, readable) + others)

    def teller(self, directory: JobDirectory) -> JobDirectory:
        """Of the workers the one whose end is the job's; see `ending.teller`."""
        return ending.teller(directory.workers())

    def result(self, handle: Handle) -> JobResult:
        """See `Launcher.result`. A container that ended well is removed; others stay for `sweep`."""
        directory, result = self.directory(handle), super().result(handle)
        if result.error is None:
            with self.told(f"remove the container of job {handle.job_key[:12]}"):
                self.remove(directory)
            shutil.rmtree(directory.store, ignore_errors=True)
        return result

    def sweep(self, dry_run: bool = False) -> list[str]:
        """See `Launcher.sweep`. No engine is asked where this launcher started no job that may be swept."""
        swept, old = [], list(self._old())
        if old:
            with self.told("sweep jobs"):
                self.answer()  # else each of them would tell, after a while, that it does not
        for handle in old:
            try:
                if self._sweep_one(handle, dry_run):
                    swept.append(handle.job_key)
            except FileNotFoundError:  # removed meanwhile
                continue
            except (MlplatError, OSError) as error:  # a job may leave what cannot be removed; others are swept
                LOG.warning("Cannot sweep %s: %s", handle.directory, error)
        return swept

    def _old(self) -> Iterator[Handle]:
        """Jobs of this launcher that nobody has looked at for so long that something of them may be swept."""
        for path in sorted(self.jobs.glob("*/told")):
            labels = (read_json(path / "launch.json") or {}).get("labels", {})
            handle = Handle(self.name, path.parent.name, str(path.parent))
            with contextlib.suppress(FileNotFoundError):
                old = self._age(handle) > min(self.orphan_seconds + 60, self.keep_days * 86400)
                if old and labels.get(LAUNCHER_LABEL) == self.name:
                    yield handle

    def _age(self, handle: Handle) -> float:
        return time.time() - self.directory(handle).lease.stat().st_mtime

    def _sweep_one(self, handle: Handle, dry_run: bool) -> bool:
        directory, kept = self.directory(handle), self.keep_days * 86400
        if self.alive(directory):
            # Submitted since it was listed: what starts a job, or finds it, renews its lease.
            if self._age(handle) <= self.orphan_seconds + 60:
                return False
            # The supervisor in the container ends itself; this is for one that is stuck.
            if not dry_run:
                self.cancel(handle)
            return True
        if dry_run:
            return self._age(handle) > kept
        if self._age(handle) <= kept:
            with self.told(f"release what job {handle.job_key[:12]} had"):
                self.release(directory)
            return False
        with directory.submitting(), self.told(f"remove the container of job {handle.job_key[:12]}"):
            if self._age(handle) <= kept:  # submitted meanwhile
                return False
            self.remove(directory)
            remove_tree(directory.path)
        return True

    def cancel(self, handle: Handle, by: Mapping[str, str] | None = None) -> None:
        """See `Launcher.cancel`."""
        raise NotImplementedError

    @property
    def installation(self) -> str:
        """The value of `INSTALLATION_LABEL`: two installations on one engine may have jobs of the same key."""
        return digest(str(self.jobs))[:12]

    def _container_name(self, directory: JobDirectory) -> str:
        number = f"-{directory.worker}" if directory.worker else ""
        return f"mlplat-{directory.path.name[:24]}-{self.installation}{number}"
