"""How a job ended that left no result, in words for its user."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from typing import Any, NamedTuple

from airflow_mlplat.errors import BuildError, ConfigError, JobDiedError, LimitError, MlplatError
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import read_json

LOG_LINES = 20
FULL_BYTES = 1 << 20
"""A disk with less room is full."""


def teller(workers: list[JobDirectory]) -> JobDirectory:
    """Of a job's workers the one whose end is the job's.

    When one fails, those that wait for it fail too, or are ended by us: what they say is of no interest.

    Args:
        workers: Of a job that has ended, by number.
    """
    if len(workers) == 1 or is_well(workers[0]):
        return workers[0]
    return min(workers, key=lambda worker: _TELLERS.index(_how(worker)))


def is_well(worker: JobDirectory) -> bool:
    """Whether a worker has left a result without an error."""
    return _how(worker) == "well"


_TELLERS = ("limit", "user error", "cancelled", "ended", "vanished", "platform error", "not begun", "stopped", "well")
"""How a worker may have ended; the first one of these is the cause of the others."""


def _how(worker: JobDirectory) -> str:
    result, known = read_json(worker.result), read_json(worker.exit)
    if isinstance(result, dict):
        error = result.get("error")
        user = isinstance(error, dict) and error.get("kind") == "user"
        return "well" if error is None else "user error" if user else "platform error"
    if worker.cancel.exists():
        return "cancelled"
    if not isinstance(known, dict):
        return "vanished" if worker.log.exists() else "not begun"
    reason = known.get("reason")
    return "stopped" if reason == "stopped" else "limit" if reason in ("memory limit", "time limit") else "ended"


def died(directory: JobDirectory, job_key: str, ending: dict[str, Any] | None = None) -> MlplatError:
    """The error that says how this job ended, with the last lines of its log.

    A user's error, LimitError, BuildError or ConfigError, if it would end in the same way again; else a JobDiedError.

    Args:
        directory: The job's.
        job_key: Its key.
        ending: What is known of its end where there is no `exit.json`, in its form; or where that says only that it
            was stopped, and this says by what. With what it `said` outside its log.
    """
    job = f"job {job_key[:12]}" + f", its worker {directory.worker}," * bool(directory.worker)
    if not directory.path.exists():
        return JobDiedError(f"{job} has no directory any more", got=str(directory.path), fix="run the task again")
    known = read_json(directory.exit)
    if (
        ending is not None
        and ending["reason"] == "cluster"
        and isinstance(known, dict)
        and known.get("reason") == "stopped"
    ):
        known = None  # it was the cluster that stopped it
    told = _told(known) or _told(ending)
    if told is None:
        what, fix = f"{job} and its supervisor died", "run the task again; it goes on from the last checkpoint"
        log = directory.tail(directory.log, LOG_LINES) or directory.tail(directory.supervisor_log, LOG_LINES)
    else:
        what, fix = f"{job} {told.what}", told.fix
        log = directory.tail(directory.log, LOG_LINES)
    if shutil.disk_usage(directory.path).free < FULL_BYTES:  # then neither the log nor the result has what happened
        what, fix = f"{what}; the disk of {directory.path} is full", "make room there: airflow mlplat gc"
    said = (ending or {}).get("said")
    last = f"It said:\n{said}" if said else "It logged nothing"
    fix = f"{fix}. " + (f"Its last log lines ({directory.log}):\n{log}" if log else last)
    return (JobDiedError if told is None else told.kind)(f"{what}, without a result", fix=fix)


class _Told(NamedTuple):
    """How a job ended, in words, and the error to raise: a user's, if it would end so the next time, too."""

    what: str
    fix: str
    kind: type[MlplatError]


def _told(ending: Any) -> _Told | None:
    """None for nothing, and for what a job wrote there that is no ending."""
    try:
        describe, fix = _REASONS.get(ending["reason"]) or _exit_reason(ending)
        # Clocks of several machines, and one that was set: never less than no time.
        seconds = f" after {max(0.0, ending['seconds']):.1f} s" if "seconds" in ending else ""
        return _Told(describe(ending) + seconds, ending.get("fix", fix), _kind(ending))
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _kind(ending: dict[str, Any]) -> type[MlplatError]:
    if ending.get("user"):
        return ConfigError
    if ending["reason"] == "memory limit" and ending["limits"]["memory_bytes"]:
        return LimitError
    return BuildError if ending["reason"] == "exited" and ending["exit_code"] == 0 else JobDiedError


def _exit_reason(ending: dict[str, Any]) -> tuple[Callable[[dict[str, Any]], str], str]:
    if ending["signal"] == signal.SIGKILL:
        fix = "somebody killed it, or the machine ran out of memory; the next run goes on from the last checkpoint"
    elif ending["exit_code"] == 0:
        fix = "the build file, or a library that it uses, ended the process"
    else:
        fix = "see the log"
    return _exited, fix


def _exited(ending: dict[str, Any]) -> str:
    if ending["signal"] is not None:
        return f"was killed by signal {ending['signal']} ({_signal_name(ending['signal'])})"
    return f"exited with code {ending['exit_code']}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"


def _out_of_memory(ending: dict[str, Any]) -> str:
    limit, used = ending["limits"]["memory_bytes"], ending.get("peak_memory_bytes", 0)
    if not limit:
        return "was killed by the kernel, as memory ran out"
    told = _mebibytes(used) if used > limit else "all of it"
    return f"was ended over its memory limit of {_mebibytes(limit)} (it used {told})"


_REASONS: dict[str, tuple[Callable[[dict[str, Any]], str], str]] = {
    "memory limit": (_out_of_memory, "raise limits memory_bytes, or lower batch_size"),
    "time limit": (
        lambda e: f"was ended at its time limit of {e['limits']['timeout_seconds']} s",
        "raise limits timeout_seconds; the next run goes on from the last checkpoint",
    ),
    "cancelled": (lambda e: "was cancelled", "run the task again if that was not meant"),
    "stopped": (lambda e: "was stopped from outside", "see what stopped it; the next run goes on from its checkpoint"),
    "gone": (lambda e: "lost its container", "see who removed it; the next run goes on from the last checkpoint"),
    "cluster": (lambda e: e["told"], "run the task again; it goes on from the last checkpoint"),
    "orphaned": (
        lambda e: f"ended itself, as no task had looked at it for {e['orphan_seconds']} s",
        "see that the triggerer runs, or raise MLPLAT_ORPHAN_SECONDS",
    ),
}
"""Reason in exit.json, but `exited` → how to say it, and what to do."""
