"""Run jobs as processes of this machine: one Python per framework, one supervisor per job.

The files through which launcher and supervisor talk are in `directory`; the supervisor lives apart from the task
that started it, so a killed worker loses nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import site
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from airflow_mlplat.contract import SPEC_FILE, JobResult, JobSpec
from airflow_mlplat.errors import ConfigError, ContractError, JobDiedError, LaunchError, MlplatError
from airflow_mlplat.launchers import ending, environment, processes
from airflow_mlplat.launchers.base import Handle, JobState, Limits
from airflow_mlplat.launchers.directory import JobDirectory, read_json, write_json
from airflow_mlplat.launchers.running import Running

Command = Callable[[JobSpec, Path], "list[str]"]

LOG_BYTES = 4 << 20
"""Most that one call of `logs` returns."""
PASSED = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "TZ")
"""All that a job's environment takes from ours; no credentials, nothing of Airflow."""
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS",
                    "TF_NUM_INTEROP_THREADS", "MXNET_CPU_WORKER_NTHREADS")  # fmt: skip


class ProcessLauncher:
    """The launcher that needs nothing but this machine (Linux).

    Args:
        jobs: Folder of the jobs' directories.
        environments: Folder with one virtual environment per framework; None: only jobs without a framework.
        orphan_seconds: A job that nobody asked for its state for so long ends itself.
        keep_days: How long `sweep` leaves an ended job's directory, with its log and checkpoints.
        command: What to run for a spec in a directory, instead of the runtime.
    """

    name = "process"

    def __init__(
        self,
        jobs: Path,
        environments: Path | None = None,
        orphan_seconds: float = 900,
        keep_days: float = 7,
        command: Command | None = None,
    ) -> None:
        self.jobs = Path(jobs).absolute()
        self.environments = Path(environments).absolute() if environments is not None else None
        self.orphan_seconds, self.keep_days = orphan_seconds, keep_days
        self._command = command or self._runtime

    def image(self, framework: str | None) -> str:
        """See `Launcher.image`; a digest of the environment's Python and packages."""
        return environment.image(self.environments, framework)

    def submit(self, spec: JobSpec, limits: Limits | None = None, labels: Mapping[str, str] | None = None) -> Handle:
        """See `Launcher.submit`."""
        if not processes.supported():
            raise ConfigError("the process launcher needs Linux's /proc", got=sys.platform, fix='use launcher="docker"')
        directory = JobDirectory(self.jobs / spec.key)
        command = self._command(spec, directory.path)
        handle = Handle(self.name, spec.key, str(directory.path))
        with directory.submitting():
            lock = directory.claim_patiently(5.0 if directory.cancel.exists() else 0.03)
            if lock is None:
                directory.renew_lease()
                return handle
            try:
                Running(directory).end_leftovers()
                self._prepare(directory, spec, command, limits or Limits(), labels or {})
                _start_supervisor(directory, lock)
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
        for path in sorted(self.jobs.glob("*")) if self.jobs.is_dir() else []:
            directory = JobDirectory(path)
            with contextlib.suppress(FileNotFoundError):
                age = time.time() - directory.lease.stat().st_mtime
                if directory.alive():
                    # The supervisor ends itself; this is for one that is stuck.
                    expired = age > self.orphan_seconds + 60
                    if expired:
                        self.cancel(Handle(self.name, path.name, str(path)))
                else:
                    expired = age > self.keep_days * 86400 and _remove(directory)
                if expired:
                    swept.append(path.name)
        return swept

    def _runtime(self, spec: JobSpec, directory: Path) -> list[str]:
        python = environment.interpreter(self.environments, spec.framework)
        return [str(python), "-m", "airflow_mlplat.runtime", str(directory / SPEC_FILE)]

    def _prepare(
        self, directory: JobDirectory, spec: JobSpec, command: list[str], limits: Limits, labels: Mapping[str, str]
    ) -> None:
        """Write all that the supervisor reads."""
        directory.clear()
        directory.scratch.mkdir()
        directory.lease.touch()
        token = secrets.token_hex(16)
        launch = {
            "command": command,
            "environment": job_environment(directory, Path(command[0]), limits, token, spec.framework),
            "limits": limits.to_json(),
            "orphan_seconds": self.orphan_seconds,
            "token": token,
            "labels": dict(labels),
        }
        write_json(directory.spec, spec.to_json())
        write_json(directory.launch, launch)


def job_environment(
    directory: JobDirectory, python: Path, limits: Limits, token: str, framework: str | None
) -> dict[str, str]:
    """All of a job's environment variables."""
    variables = {name: os.environ[name] for name in PASSED if name in os.environ}
    variables.update(
        PATH=f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        HOME=str(directory.path),
        TMPDIR=str(directory.scratch),
        LANG="C.UTF-8",
        PYTHONUNBUFFERED="1",  # print() reaches the log at once
        PYTHONSAFEPATH="1",  # no file in the job's directory hides a module (Python >=3.11)
    )
    variables[processes.TOKEN_VARIABLE] = token
    if framework is None and site.ENABLE_USER_SITE and site.USER_BASE:
        variables["PYTHONUSERBASE"] = site.USER_BASE  # HOME is another, and this package may be installed there
    if limits.threads:
        variables.update(dict.fromkeys(THREAD_VARIABLES, str(limits.threads)))
    return variables


def _start_supervisor(directory: JobDirectory, lock: int) -> None:
    command = [sys.executable, "-m", "airflow_mlplat.launchers.supervisor", str(directory.path), str(lock)]
    with directory.supervisor_log.open("ab") as output:
        try:
            subprocess.run(
                command, pass_fds=(lock,), stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True,
                start_new_session=True, timeout=60, env={"LANG": "C.UTF-8"},
                cwd=Path(__file__).parents[2],  # where this package is found, whatever our sys.path
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            said = directory.tail(directory.supervisor_log, 5)
            raise LaunchError(f"the supervisor in {directory.path} did not start", got=f"{error} {said}") from error


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
