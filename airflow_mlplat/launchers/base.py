"""What every launcher is: start a job by its key, find it again, look at it, end it.

A handle is all that a task keeps of its job. It is plain JSON, so that a trigger in another process, or a task's
retry on the same machine, can go on with the job that the first try started.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from airflow_mlplat.contract import JobResult, JobSpec
from airflow_mlplat.errors import SpecError


class JobState(str, Enum):
    """Whether a job is still at work; how it ended is told by `Launcher.result`."""

    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class Handle:
    """Where a job is.

    Args:
        launcher: Key of `LAUNCHERS`.
        job_key: `JobSpec.key`.
        directory: The job's directory, absolute.
    """

    launcher: str
    job_key: str
    directory: str

    def __post_init__(self) -> None:
        for name in ("launcher", "job_key", "directory"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise SpecError(f"job handle has a bad {name}", expected="text", got=repr(getattr(self, name)))

    def to_json(self) -> dict[str, str]:
        """As a plain dict with the keys `launcher`, `job_key`, `directory`."""
        return {"launcher": self.launcher, "job_key": self.job_key, "directory": self.directory}

    @classmethod
    def from_json(cls, document: Any) -> Handle:
        """The inverse of `to_json`.

        Raises:
            SpecError: Not a dict with exactly the keys `launcher`, `job_key`, `directory`.
        """
        if not isinstance(document, dict) or set(document) != {"launcher", "job_key", "directory"}:
            raise SpecError("not a job handle", expected='{"launcher", "job_key", "directory"}', got=repr(document))
        return cls(**document)


LEAST_CPUS = 0.01
"""Below it, the kernel's quota has no meaning."""
GPU = ("off", "auto", "required")
"""Whether a job gets GPUs: never; those that are there; or fails where there is none."""


@dataclass(frozen=True)
class Limits:
    """What one job may use, and see; None means no limit. How many threads it uses is no limit: results depend on that.

    Args:
        memory_bytes: Memory of all the job's processes together, in bytes.
        timeout_seconds: Wall-clock time from start to end, in seconds.
        cpus: Processor time per second of wall-clock time, 1.5 for one and a half cores. In containers alone.
        processes: Processes and threads at once; None: 4096. In containers alone.
        shared_memory_bytes: Of /dev/shm; None: the engine's default. In containers alone.
        network: Name of the engine's network that the job reaches; None: it reaches none. In containers alone.
        gpu: One of `GPU`; part of the job's key, as results depend on it. In containers alone.
        secrets: Names of files of the folder MLPLAT_SECRETS that the job may read, as /run/secrets/NAME. In containers
            alone.
    """

    memory_bytes: int | None = None
    timeout_seconds: float | None = None
    cpus: float | None = None
    processes: int | None = None
    shared_memory_bytes: int | None = None
    network: str | None = None
    gpu: str = "off"
    secrets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, types in _POSITIVE.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not isinstance(value, types) or isinstance(value, bool) or not 0 < value < float("inf"):
                raise SpecError(f"limit {name} is not valid", expected="a positive number, or None", got=repr(value))
        if self.cpus is not None and self.cpus < LEAST_CPUS:
            raise SpecError("limit cpus is too small", expected=f"{LEAST_CPUS} or more", got=self.cpus)
        if self.network is not None and (
            not isinstance(self.network, str) or not re.fullmatch(r"(?!host$)[A-Za-z0-9][A-Za-z0-9_.-]*", self.network)
        ):
            expected = "a network's name but 'host', which is no network of its own"
            raise SpecError("limit network is not valid", expected=expected, got=repr(self.network))
        if self.gpu not in GPU:
            raise SpecError("limit gpu is not valid", expected=" | ".join(GPU), got=repr(self.gpu))
        names = self.secrets if isinstance(self.secrets, (list, tuple)) else [None]
        if not all(isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name) for name in names):
            raise SpecError("limit secrets is not valid", expected="names of files", got=repr(self.secrets))
        object.__setattr__(self, "secrets", tuple(names))

    def to_json(self) -> dict[str, Any]:
        """As a plain dict with the fields' names as keys."""
        return dataclasses.asdict(self)


_POSITIVE: dict[str, Any] = {
    **dict.fromkeys(("memory_bytes", "processes", "shared_memory_bytes"), (int,)),
    **dict.fromkeys(("timeout_seconds", "cpus"), (int, float)),
}


@dataclass(frozen=True)
class Image:
    """What jobs of a framework run in; both are part of their keys.

    Args:
        digest: Of everything that is installed there but this package, and whether there are GPUs.
        code_version: Of this package's job half there.
    """

    digest: str
    code_version: str


class Launcher(Protocol):
    """Runs jobs. All but `submit` may be called from any process that sees the job's directory."""

    name: str

    def image(self, framework: str | None, limits: Limits = ...) -> Image:
        """What a job of this framework with these limits would run in now.

        Raises:
            ConfigError: There is nothing to run such a job in.
        """

    def submit(self, spec: JobSpec, limits: Limits = ..., labels: Mapping[str, str] | None = None) -> Handle:
        """Start the spec's job, or find the living job of the same key.

        Args:
            spec: The work.
            limits: What it may use; ignored when the job is living already.
            labels: Who asked for it (dag, run, task), for people who look at the job.

        Raises:
            ConfigError: There is nothing to run such a job in, or it cannot be limited so.
            LaunchError: It could not be started.
        """

    def spec(self, handle: Handle) -> JobSpec:
        """The spec that the job was started with.

        Raises:
            JobDiedError: The job's directory is gone.
        """

    def state(self, handle: Handle) -> JobState:
        """Whether the job is at work. Looking at a job keeps it alive: see `orphan_seconds`."""

    def logs(self, handle: Handle, offset: int) -> tuple[str, int]:
        """What the job wrote after `offset` (in bytes), as whole lines, and the offset to ask for next."""

    def result(self, handle: Handle) -> JobResult:
        """What the ended job left behind: its outputs, or its own error.

        Raises:
            JobDiedError: It ended without a result; says how, with the last lines of its log.
            LimitError, BuildError: As JobDiedError, where it would end so again: it needs more memory than its limit,
                or the user's code ends the process.
            LaunchError: It has not ended.
        """

    def cancel(self, handle: Handle, by: Mapping[str, str] | None = None) -> None:
        """End the job with all its processes, within 4 seconds; nothing happens when it has ended.

        Args:
            handle: Of the job.
            by: Who asks for it: the labels of a task. Others may wait for the same job.

        Raises:
            LaunchError: It could not be ended.
        """

    def discard(self, handle: Handle) -> None:
        """Forget an ended job's result, which turned out to be worth nothing: the next `submit` starts it anew."""

    def outbox(self, handle: Handle) -> Path | None:
        """Folder of what the job put, if it could not write the store itself; then `result` is not yet committed."""

    def handle(self, spec: JobSpec) -> Handle:
        """Where the spec's job is, or will be."""

    def cancelled_by(self, handle: Handle) -> dict[str, str] | None:
        """Who had the job cancelled: what `cancel` was told; None if nobody had."""

    def sweep(self, dry_run: bool = False) -> list[str]:
        """End jobs that no task looks at any more, remove what jobs long ended left; returns their keys.

        Args:
            dry_run: Only tell which ones that would be now.

        Raises:
            ConfigError, LaunchError: The launcher's engine, which has such jobs, cannot be asked.
        """
