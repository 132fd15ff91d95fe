"""The other workers of a job, as a launcher tells each of them by the contract's variables."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from airflow_mlplat.contract import WORKER, WORKER_CHECKPOINTS, WORKERS, JobSpec
from airflow_mlplat.errors import ConfigError, PlatformError, SpecError
from airflow_mlplat.stages.workers import Workers

WAIT_SECONDS = 3600.0
"""For the others' names: a container has its name once it has started. Launchers give up sooner what cannot start."""
_AGAIN_SECONDS = 0.5


def workers_of(spec: JobSpec, environment: Mapping[str, str]) -> Workers:
    """Who does a job together; hosts are as the launcher named them.

    Args:
        spec: The work.
        environment: The job's; `WORKER`, `WORKERS` and `WORKER_CHECKPOINTS` of the contract are looked at.

    Raises:
        SpecError: The job's stage is not done by several.
        ConfigError: The environment does not tell of as many workers as the spec has.
    """
    if spec.workers == 1:
        return Workers()
    if spec.stage != "train":
        raise SpecError(f"stage {spec.stage!r} takes one worker", expected="workers 1", got=spec.workers)
    named = [re.fullmatch(r"(.+):(\d{1,5})", part) for part in environment.get(WORKERS, "").split(",")]
    addresses = tuple((found[1], int(found[2])) for found in named if found)
    rank, checkpoints = environment.get(WORKER, ""), environment.get(WORKER_CHECKPOINTS)
    if len(addresses) != spec.workers or not rank.isdecimal() or int(rank) >= spec.workers or not checkpoints:
        raise ConfigError(
            f"the job was not told who its {spec.workers} workers are",
            expected=f"{WORKER} 0 … {spec.workers - 1}, {WORKERS} host:port,… of all, {WORKER_CHECKPOINTS} a folder",
            got=f"{rank!r}, {environment.get(WORKERS)!r}, {checkpoints!r}",
            fix="start it by a launcher that can start several workers",
        )
    return Workers(int(rank), addresses, Path(checkpoints) if int(rank) else None)


def resolved(
    workers: Workers, seconds: float = WAIT_SECONDS, resolve: Callable[[str], str] = socket.gethostbyname
) -> Workers:
    """The same with IPv4 addresses for names, each of which is waited for.

    Args:
        workers: With names.
        seconds: To wait at most.
        resolve: IPv4 address of a name, or OSError.

    Raises:
        PlatformError: A name does not resolve in time.
    """
    until = time.monotonic() + seconds
    addresses = tuple((_address(host, until, seconds, resolve), port) for host, port in workers.addresses)
    return Workers(workers.rank, addresses, workers.checkpoints)


def _address(host: str, until: float, seconds: float, resolve: Callable[[str], str]) -> str:
    while True:
        try:
            return resolve(host)
        except OSError as error:
            if time.monotonic() > until:
                raise PlatformError(
                    f"worker {host!r} cannot be found by its name",
                    expected=f"an address within {seconds:g} s",
                    got=error,
                ) from error
        time.sleep(_AGAIN_SECONDS)
