"""Run jobs as processes of this machine: one Python per framework, one supervisor per job.

The files through which launcher and supervisor talk are in `directory`; the supervisor lives apart from the task
that started it, so a killed worker loses nothing.
"""

from __future__ import annotations

import logging
import os
import site
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from airflow_mlplat.contract import SPEC_FILE, JobSpec
from airflow_mlplat.errors import ConfigError, LaunchError
from airflow_mlplat.launchers import environment, job_half, processes
from airflow_mlplat.launchers.base import Handle, Image, JobState, Limits
from airflow_mlplat.launchers.code_version import code_version
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.directory_launcher import DirectoryLauncher, fresh
from airflow_mlplat.launchers.files import remove_tree, write_json
from airflow_mlplat.launchers.running import Running
from airflow_mlplat.launchers.start import Launch, passed, prepare, start_supervisor

Command = Callable[[JobSpec, Path], "list[str]"]

LOG = logging.getLogger(__name__)


class ProcessLauncher(DirectoryLauncher):
    """The launcher that needs nothing but this machine (Linux).

    Args:
        jobs: Folder of the jobs' directories.
        environments: Folder with one virtual environment per framework; None: only jobs without a framework.
        orphan_seconds: A job that nobody asked for its state for so long ends itself.
        variables: Environment variables that every job gets.
        keep_days: How long `sweep` leaves an ended job's directory, with its log and checkpoints.
        command: What to run for a spec in a directory, instead of the runtime.
    """

    name = "process"

    def __init__(
        self,
        jobs: Path,
        environments: Path | None = None,
        orphan_seconds: float = 900,
        variables: Mapping[str, str] | None = None,
        *,
        keep_days: float = 7,
        command: Command | None = None,
    ) -> None:
        super().__init__(jobs, orphan_seconds, keep_days)
        self.environments = Path(environments).absolute() if environments is not None else None
        self._command, self._variables = command, dict(variables or {})
        self._copies = self.jobs / ".job_half"

    def image(self, framework: str | None, limits: Limits | None = None) -> Image:
        """See `Launcher.image`; a digest of the environment's Python and packages, and this very source."""
        return Image(environment.image(self.environments, framework), code_version())

    def alive(self, directory: JobDirectory) -> bool:
        """Whether the job's supervisor lives."""
        return directory.alive()

    def submit(self, spec: JobSpec, limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Handle:
        """See `Launcher.submit`."""
        if not processes.supported():
            raise ConfigError(
                "the process launcher needs Linux's /proc", got=sys.platform, fix="run Airflow's workers on Linux"
            )
        limits = limits or Limits()
        _check_limits(limits)
        check_workers(spec.workers)
        directory = JobDirectory(self.jobs / spec.key)
        command = (self._command or self._runtime)(spec, directory.path)
        handle = self.handle(spec)
        with directory.submitting():
            lock = directory.claim_patiently(5.0 if directory.cancel.exists() else 0.03)
            if lock is None:
                directory.renew_lease()
                return handle
            try:
                if fresh(directory, spec):
                    directory.renew_lease()
                    return handle
                Running(directory).end_leftovers()
                variables = self._environment(spec, command)
                prepare(directory, spec, Launch(command, limits, self.orphan_seconds, dict(labels or {}), variables))
                start_supervisor(directory, lock)
            finally:
                os.close(lock)  # the supervisor has its own
        return handle

    def state(self, handle: Handle) -> JobState:
        """See `Launcher.state`."""
        directory = JobDirectory(Path(handle.directory))
        directory.renew_lease()
        running = Running(directory)
        if directory.alive():
            return JobState.RUNNING
        running.end_leftovers()
        return JobState.ENDED

    def cancel(self, handle: Handle, by: Mapping[str, str] | None = None) -> None:
        """See `Launcher.cancel`."""
        directory = JobDirectory(Path(handle.directory))
        running = Running(directory)
        if not directory.alive():
            running.end_leftovers()
            return
        directory.ask_to_end(by)  # the supervisor also looks for this, in case that we cannot see its processes
        left = running.end()
        if left or directory.alive():
            pids = [entry.pid for entry in left]
            raise LaunchError(f"job {handle.job_key[:12]} does not end", got=f"processes {pids}", fix="see its machine")
        lock = directory.claim()
        if lock is not None:  # else it was submitted again meanwhile
            if not directory.exit.exists():
                seconds = time.time() - directory.launch.stat().st_mtime
                write_json(directory.exit, {"reason": "cancelled", "seconds": seconds})
            os.close(lock)

    def sweep(self, dry_run: bool = False) -> list[str]:
        """See `Launcher.sweep`."""
        swept = []
        folders = [path for path in sorted(self.jobs.glob("*")) if path.is_dir()]
        for path in folders:
            try:
                if self._sweep_one(path, dry_run):
                    swept.append(path.name)
            except FileNotFoundError:  # no job's directory, or removed meanwhile
                continue
            except (LaunchError, OSError) as error:  # a job may leave what cannot be removed; others are swept
                LOG.warning("Cannot sweep %s: %s", path, error)
        if not dry_run and not any(JobDirectory(path).alive() for path in folders):
            job_half.forget(self._copies, self.keep_days)
        return swept

    def _sweep_one(self, path: Path, dry_run: bool) -> bool:
        directory = JobDirectory(path)
        age = time.time() - directory.lease.stat().st_mtime
        running = Running(directory)
        if not directory.alive():
            if not dry_run:
                running.end_leftovers()
            return age > self.keep_days * 86400 and (dry_run or _remove(directory))
        # The supervisor ends itself; this is for one that is stuck.
        if age <= self.orphan_seconds + 60:
            return False
        if not dry_run:
            self.cancel(Handle(self.name, path.name, str(path)))
        return True

    def _environment(self, spec: JobSpec, command: list[str]) -> dict[str, str]:
        path = f"{Path(command[0]).parent}:/usr/local/bin:/usr/bin:/bin"
        variables = {**passed(), **self._variables, "PATH": path}
        if self._command is None:
            variables["PYTHONPATH"] = str(job_half.supply(self._copies))
        if spec.framework is None and site.ENABLE_USER_SITE and site.USER_BASE:
            variables["PYTHONUSERBASE"] = site.USER_BASE  # HOME is another, and this package may be installed there
        return variables

    def _runtime(self, spec: JobSpec, directory: Path) -> list[str]:
        python = environment.interpreter(self.environments, spec.framework)
        return [str(python), "-m", "airflow_mlplat.runtime", str(directory / SPEC_FILE)]


def check_workers(workers: int) -> None:
    """Raise a ConfigError if a job is one of several workers."""
    if workers > 1:
        fix = "use containers: launcher='docker' or 'kubernetes'"
        raise ConfigError("the process launcher runs jobs of one worker", got=workers, fix=fix)


def _check_limits(limits: Limits) -> None:
    """Raise ConfigError for what processes cannot be held to."""
    can = Limits(limits.memory_bytes, limits.timeout_seconds).to_json()
    others = [name for name, value in limits.to_json().items() if value != can[name]]
    if others:
        raise ConfigError(
            f"the process launcher cannot limit {', '.join(others)}", fix="leave them out, or use a container: docker"
        )


def _remove(directory: JobDirectory) -> bool:
    """Remove an ended job's directory, unless it is being submitted again."""
    with directory.submitting():
        lock = directory.claim()
        if lock is None:
            return False
        try:
            remove_tree(directory.path)
        finally:
            os.close(lock)
        return True
