"""Write down all that a job's supervisor needs; start one on this machine, apart from the task that asks for it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from airflow_mlplat.contract import CHECKPOINTS, SPEC_FILE, JobSpec
from airflow_mlplat.errors import LaunchError
from airflow_mlplat.launchers import processes
from airflow_mlplat.launchers.base import Limits
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.files import write_json

PASSED = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "TZ")
"""All that the environment of a job on this machine takes from ours; no credentials, nothing of Airflow."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "MXNET_CPU_WORKER_NTHREADS",
)
"""Where the numeric libraries read how many threads to use; they read them once, when imported."""


@dataclass(frozen=True)
class Launch:
    """How to run one job.

    Args:
        command: Absolute path of the program, and its arguments.
        limits: What the job may use.
        orphan_seconds: It ends itself when nobody looked at it for so long.
        labels: Who asked for it.
        variables: Environment variables beside those that every job has.
        devices: How many GPUs each of its workers uses, where it gets any.
    """

    command: list[str]
    limits: Limits
    orphan_seconds: float
    labels: dict[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    devices: int = 1


def prepare(directory: JobDirectory, spec: JobSpec, launch: Launch) -> None:
    """Empty the directory but for checkpoints, and write `spec.json` and `launch.json`."""
    directory.clear()
    for number in range(spec.workers):
        worker = JobDirectory(directory.path, apart=directory.apart, worker=number)
        worker.scratch.mkdir(parents=True)
        if directory.apart:
            write_json(worker.work / SPEC_FILE, spec.to_json())  # for the job; ours is the one that counts
    if spec.workers > 1:
        (directory.work / CHECKPOINTS).mkdir(exist_ok=True)
    directory.lease.unlink(missing_ok=True)
    directory.lease.touch()
    token = secrets.token_hex(16)
    document = {
        "command": launch.command,
        "environment": job_environment(directory, spec, launch, token),
        "limits": launch.limits.to_json(),
        "orphan_seconds": launch.orphan_seconds,
        "token": token,
        "labels": launch.labels,
    }
    write_json(directory.spec, spec.to_json())
    write_json(directory.launch, document)


def job_environment(directory: JobDirectory, spec: JobSpec, launch: Launch, token: str) -> dict[str, str]:
    """A job's environment variables: what every job has, and the launch's."""
    return {
        **launch.variables,
        "HOME": str(directory.work),
        "TMPDIR": str(directory.scratch),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # print() reaches the log at once
        "PYTHONSAFEPATH": "1",  # no file in the job's directory hides a module (Python >=3.11)
        processes.TOKEN_VARIABLE: token,
        **dict.fromkeys(THREAD_VARIABLES, str(threads_of(spec))),
    }


def threads_of(spec: JobSpec) -> int:
    """How many threads the numeric libraries use: the spec's param `threads`, 1 without one.

    Sums round as they are shared out among threads, so this follows from the job's key alone.
    """
    return _count(spec, "threads")


def devices_of(spec: JobSpec) -> int:
    """How many GPUs a worker of the job uses, where it gets any: the spec's param `devices`, 1 without one."""
    return _count(spec, "devices")


def _count(spec: JobSpec, param: str) -> int:
    count = spec.params.get(param, 1)
    valid = isinstance(count, int) and not isinstance(count, bool) and count > 0
    return count if valid else 1  # the stage tells that it is not valid


def start_supervisor(directory: JobDirectory, lock: int) -> None:
    """Start the supervisor and hand it `alive.lock`.

    Args:
        directory: A prepared one.
        lock: The open file that holds its `alive.lock`.

    Raises:
        LaunchError: It did not start.
    """
    command = [sys.executable, "-m", "airflow_mlplat.launchers.supervisor", str(directory.path), str(lock)]
    with directory.supervisor_log.open("ab") as output:
        try:
            subprocess.run(
                command,
                pass_fds=(lock,),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=Path(__file__).parents[2],  # where this package is found, whatever our sys.path
                env={**passed(), "LANG": "C.UTF-8"},
                timeout=60,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = directory.tail(directory.supervisor_log, 5)
            raise LaunchError(f"the supervisor in {directory.path} did not start", got=f"{error} {said}") from error


def passed() -> dict[str, str]:
    """What a process of this machine takes from our environment."""
    return {name: os.environ[name] for name in PASSED if name in os.environ}
