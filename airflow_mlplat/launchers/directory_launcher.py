"""What launchers have in common whose jobs are reached through a directory: all but how a job is started and ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airflow_mlplat.contract import SPEC_FILE, JobResult, JobSpec
from airflow_mlplat.errors import ContractError, JobDiedError, LaunchError, MlplatError
from airflow_mlplat.launchers import ending
from airflow_mlplat.launchers.base import Handle
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import open_plain, read_json

FRESH_SECONDS = 60
"""For how long a result that was left is taken instead of starting its job anew; see `fresh`."""
LOG_BYTES = 4 << 20
"""Most that one call of `logs` returns."""
LOG_MOST = 64 * LOG_BYTES
"""Most of a log that is shown; all of it is in its file."""


class DirectoryLauncher:
    """The half of a `Launcher` that only reads a job's directory.

    Args:
        jobs: Folder of the jobs' directories; made absolute.
        orphan_seconds: A job that nobody asked for its state for so long ends itself.
        keep_days: How long `sweep` leaves what an ended job left: its directory, with log and checkpoints.
    """

    name: str

    def __init__(self, jobs: Path, orphan_seconds: float = 900, keep_days: float = 7) -> None:
        self.jobs = Path(jobs).absolute()
        self.orphan_seconds, self.keep_days = orphan_seconds, keep_days

    def directory(self, handle: Handle) -> JobDirectory:
        """A job's directory."""
        return JobDirectory(Path(handle.directory))

    def outbox(self, handle: Handle) -> Path | None:
        """See `Launcher.outbox`."""
        return None

    def alive(self, directory: JobDirectory) -> bool:
        """Whether the job is at work."""
        raise NotImplementedError

    def died(self, directory: JobDirectory, job_key: str) -> MlplatError:
        """The error that says how a job ended that left no result."""
        return ending.died(directory, job_key)

    def teller(self, directory: JobDirectory) -> JobDirectory:
        """Whose files tell how the job ended."""
        return directory

    def handle(self, spec: JobSpec) -> Handle:
        """Where the spec's job is, or will be."""
        return Handle(self.name, spec.key, str(self.jobs / spec.key))

    def spec(self, handle: Handle) -> JobSpec:
        """See `Launcher.spec`."""
        directory = self.directory(handle)
        document = read_json(directory.spec)
        if document is None:
            raise self.died(directory, handle.job_key)
        return JobSpec.from_json(document)

    def logs(self, handle: Handle, offset: int) -> tuple[str, int]:
        """See `Launcher.logs`; at most 4 MiB a call. An offset past the end begins anew: the job was started again."""
        directory = self.directory(handle)
        running = self.alive(directory)  # asked before reading: what an ended job wrote is then all there
        try:
            with open_plain(directory.log) as file:
                start = offset if offset <= file.seek(0, os.SEEK_END) else 0
                file.seek(start)
                content = file.read(LOG_BYTES)
        except FileNotFoundError:
            return "", offset
        if start >= LOG_MOST:
            return (f"The log goes on in {directory.log}\n", start + 1) if start == LOG_MOST else ("", start)
        content = content[: LOG_MOST - start]
        if running or len(content) == LOG_BYTES:
            whole = content.rfind(b"\n") + 1
            content = content[:whole] if whole or len(content) < LOG_BYTES else content
        return content.decode(errors="replace"), start + len(content)

    def result(self, handle: Handle) -> JobResult:
        """See `Launcher.result`."""
        directory = self.directory(handle)
        if self.alive(directory) and read_json(directory.result) is None:
            raise LaunchError(f"job {handle.job_key[:12]} has not ended", got=handle.directory, fix="wait for its end")
        directory = self.teller(directory)
        document = read_json(directory.result)
        if document is None:
            raise self.died(directory, handle.job_key)
        try:
            result = JobResult.from_json(document)
        except ContractError:
            raise
        except MlplatError as error:
            raise JobDiedError(f"job {handle.job_key[:12]} left a malformed result", got=error) from error
        if result.job_key != handle.job_key:
            raise JobDiedError("the job left another job's result", expected=handle.job_key, got=result.job_key)
        return result

    def cancelled_by(self, handle: Handle) -> dict[str, str] | None:
        """See `Launcher.cancelled_by`."""
        return read_json(self.directory(handle).cancel)

    def discard(self, handle: Handle) -> None:
        """See `Launcher.discard`."""
        self.directory(handle).result.unlink(missing_ok=True)


def given_files(jobs: Path) -> set[str]:
    """SHA-256 of the files that jobs were given whose directories are still there: no manifest names them yet."""
    specs = (read_json(path) for path in jobs.glob(f"*/{SPEC_FILE}"))
    return {sha256 for spec in specs if isinstance(spec, dict) for sha256 in spec["files"].values()}


def fresh(directory: JobDirectory, spec: JobSpec, seconds: float = FRESH_SECONDS) -> bool:
    """Whether the very job has just ended well, at most so many seconds ago.

    A task submits when it finds no committed result. Another task's job of the same key may commit it and end
    between these two steps; to start anew would then take the result away from that other task, which is about
    to read it. The whole spec is compared: the key says nothing of the store.
    """
    document = read_json(directory.result)
    try:
        result = JobResult.from_json(document)
        age = time.time() - directory.result.lstat().st_mtime
    except (MlplatError, FileNotFoundError):
        return False
    ended_well = result.error is None and result.job_key == spec.key
    return ended_well and abs(age) < seconds and read_json(directory.spec) == spec.to_json()
