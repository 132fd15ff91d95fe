"""Run jobs as processes of this machine: one Python per framework, one supervisor per job.

The files through which launcher and supervisor talk are in `directory`; the supervisor lives apart from the task
that started it, so a killed worker loses nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from airflow_mlplat.contract import SPEC_FILE, JobResult, JobSpec
from airflow_mlplat.errors import ConfigError, ContractError, JobDiedError, LaunchError, MlplatError
from airflow_mlplat.launchers import ending, environment, job_half, processes
from airflow_mlplat.launchers.base import Handle, JobState, Limits
from airflow_mlplat.launchers.directory import JobDirectory, read_json, write_json
from airflow_mlplat.launchers.running import Running
from airflow_mlplat.launchers.start import Launch, prepare, start_supervisor

Command = Callable[[JobSpec, Path], "list[str]"]

LOG = logging.getLogger(__name__)
FRESH_SECONDS = 60
"""For how long a result that was left is taken instead of starting its job anew; see `ProcessLauncher._fresh`."""
LOG_BYTES = 4 << 20
"""Most that one call of `logs` returns."""


class ProcessLauncher:
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
        self.jobs = Path(jobs).absolute()
        self.environments = Path(environments).absolute() if environments is not None else None
        self.orphan_seconds, self.keep_days = orphan_seconds, keep_days
        self._command, self._variables = command, dict(variables or {})
        self._copies = self.jobs / ".job_half"

    def image(self, framework: str | None) -> str:
        """See `Launcher.image`; a digest of the environment's Python and packages."""
        return environment.image(self.environments, framework)

    def submit(self, spec: JobSpec, limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Handle:
        """See `Launcher.submit`."""
        if not processes.supported():
            raise ConfigError(
                "the process launcher needs Linux's /proc", got=sys.platform, fix="run Airflow's workers on Linux"
            )
        directory = JobDirectory(self.jobs / spec.key)
        command = (self._command or self._runtime)(spec, directory.path)
        handle = Handle(self.name, spec.key, str(directory.path))
        with directory.submitting():
            lock = directory.claim_patiently(5.0 if directory.cancel.exists() else 0.03)
            if lock is None:
                directory.renew_lease()
                return handle
            try:
                if self._fresh(directory, spec):
                    directory.renew_lease()
                    return handle
                Running(directory).end_leftovers()
                code = job_half.supply(self._copies) if self._command is None else None
                launch = Launch(
                    command, limits or Limits(), self.orphan_seconds, dict(labels or {}), code, self._variables
                )
                prepare(directory, spec, launch)
                start_supervisor(directory, lock)
            finally:
                os.close(lock)  # the supervisor has its own
        return handle

    def spec(self, handle: Handle) -> JobSpec:
        """See `Launcher.spec`."""
        directory = JobDirectory(Path(handle.directory))
        document = read_json(directory.spec)
        if document is None:
            raise ending.died(directory, handle.job_key)
        return JobSpec.from_json(document)

    def state(self, handle: Handle) -> JobState:
        """See `Launcher.state`."""
        directory = JobDirectory(Path(handle.directory))
        directory.renew_lease()
        running = Running(directory)
        if directory.alive():
            return JobState.RUNNING
        running.end_leftovers()
        return JobState.ENDED

    def logs(self, handle: Handle, offset: int) -> tuple[str, int]:
        """See `Launcher.logs`; at most 4 MiB a call. An offset past the end begins anew: the job was started again."""
        directory = JobDirectory(Path(handle.directory))
        running = directory.alive()  # asked before reading: what an ended job wrote is then all there
        try:
            with directory.log.open("rb") as file:
                start = offset if offset <= file.seek(0, os.SEEK_END) else 0
                file.seek(start)
                content = file.read(LOG_BYTES)
        except FileNotFoundError:
            return "", offset
        if running or len(content) == LOG_BYTES:
            whole = content.rfind(b"\n") + 1
            content = content[:whole] if whole or len(content) < LOG_BYTES else content
        return content.decode(errors="replace"), start + len(content)

    def result(self, handle: Handle) -> JobResult:
        """See `Launcher.result`."""
        directory = JobDirectory(Path(handle.directory))
        running = directory.alive()
        document = read_json(directory.result)
        if document is None and running:
            raise LaunchError(f"job {handle.job_key[:12]} has not ended", got=handle.directory, fix="wait for its end")
        if document is None:
            raise ending.died(directory, handle.job_key)
        try:
            result = JobResult.from_json(document)
        except ContractError:
            raise
        except MlplatError as error:
            raise JobDiedError(f"job {handle.job_key[:12]} left a malformed result", got=error) from error
        if result.job_key != handle.job_key:
            raise JobDiedError("the job left another job's result", expected=handle.job_key, got=result.job_key)
        return result

    def cancel(self, handle: Handle) -> None:
        """See `Launcher.cancel`."""
        directory = JobDirectory(Path(handle.directory))
        running = Running(directory)
        if not directory.alive():
            running.end_leftovers()
            return
        directory.cancel.touch()  # the supervisor also looks for this, in case that we cannot see its processes
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

    def sweep(self) -> list[str]:
        """See `Launcher.sweep`."""
        swept = []
        folders = [path for path in sorted(self.jobs.glob("*")) if path.is_dir()]
        for path in folders:
            try:
                if self._sweep_one(path):
                    swept.append(path.name)
            except FileNotFoundError:  # no job's directory, or removed meanwhile
                continue
            except LaunchError as error:
                LOG.warning("Cannot sweep %s: %s", path, error)
        if not any(JobDirectory(path).alive() for path in folders):
            job_half.forget(self._copies, self.keep_days)
        return swept

    def _sweep_one(self, path: Path) -> bool:
        directory = JobDirectory(path)
        age = time.time() - directory.lease.stat().st_mtime
        running = Running(directory)
        if not directory.alive():
            running.end_leftovers()
            return age > self.keep_days * 86400 and _remove(directory)
        # The supervisor ends itself; this is for one that is stuck.
        if age <= self.orphan_seconds + 60:
            return False
        self.cancel(Handle(self.name, path.name, str(path)))
        return True

    def _fresh(self, directory: JobDirectory, spec: JobSpec) -> bool:
        """Whether the very job has just ended well.

        A task submits when it finds no committed result. Another task's job of the same key may commit it and end
        between these two steps; to start anew would then take the result away from that other task, which is about
        to read it. The whole spec is compared: the key says nothing of the store.
        """
        document = read_json(directory.result)
        try:
            result = JobResult.from_json(document)
            age = time.time() - directory.result.stat().st_mtime
        except (MlplatError, FileNotFoundError):
            return False
        ended_well = result.error is None and result.job_key == spec.key
        return ended_well and abs(age) < FRESH_SECONDS and read_json(directory.spec) == spec.to_json()

    def _runtime(self, spec: JobSpec, directory: Path) -> list[str]:
        python = environment.interpreter(self.environments, spec.framework)
        return [str(python), "-m", "airflow_mlplat.runtime", str(directory / SPEC_FILE)]


def _remove(directory: JobDirectory) -> bool:
    """Remove an ended job's directory, unless it is being submitted again."""
    with directory.submitting():
        lock = directory.claim()
        if lock is None:
            return False
        try:
            shutil.rmtree(directory.path)
        finally:
            os.close(lock)
        return True
