"""How a job ended that left no result, in words for its user."""

from __future__ import annotations

import shutil
import signal
from typing import Any

from airflow_mlplat.errors import ConfigError, JobDiedError, LimitError, MlplatError
from airflow_mlplat.launchers.directory import JobDirectory, read_json

LOG_LINES = 20
FULL_BYTES = 1 << 20
"""A disk with less room is full."""


def died(directory: JobDirectory, job_key: str, ending: dict[str, Any] | None = None) -> MlplatError:
    """The error that says how this job ended, with the last lines of its log.

    A LimitError, or a ConfigError, if it would end in the same way again.

    Args:
        directory: The job's.
        job_key: Its key.
        ending: What is known of its end where there is no `exit.json`, in its form; or where that says only that it
            was stopped, and this says by what.
    """
    job = f"job {job_key[:12]}"
    if not directory.path.exists():
        return JobDiedError(f"{job} has no directory any more", got=str(directory.path), fix="run the task again")
    known = read_json(directory.exit)
    told = ending is not None and ending["reason"] == "cluster"
    ending = ending if known is None or (known["reason"] == "stopped" and told) else known
    if ending is None:
        what, fix = f"{job} and its supervisor died", "run the task again; it goes on from the last checkpoint"
        log = directory.tail(directory.log, LOG_LINES) or directory.tail(directory.supervisor_log, LOG_LINES)
    else:
        describe, fix = _REASONS.get(ending["reason"], _REASONS["exited"])
        what = f"{job} {describe(ending)}" + (f" after {ending['seconds']:.1f} s" if "seconds" in ending else "")
        log, fix = directory.tail(directory.log, LOG_LINES), ending.get("fix", fix)
    if shutil.disk_usage(directory.path).free < FULL_BYTES:  # then neither the log nor the result has what happened
        what, fix = f"{what}; the disk of {directory.path} is full", "make room there: airflow mlplat gc"
    fix = f"{fix}. Its last log lines ({directory.log}):\n{log or '(none)'}"
    return _kind(ending or {})(f"{what}, without a result", fix=fix)


def _kind(ending: dict[str, Any]) -> type[MlplatError]:
    if ending.get("user"):
        return ConfigError
    again = ending.get("reason") == "memory limit" and ending["limits"]["memory_bytes"]
    return LimitError if again else JobDiedError


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


_REASONS = {
    "exited": (_exited, "see the log; signal 9 without a limit is mostly the machine out of memory"),
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
"""Reason in exit.json → how to say it, and what to do."""
