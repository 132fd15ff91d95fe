"""What a container for one job is like, whatever the engine: paths, user, what it may use and see."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional
from urllib.parse import unquote, urlsplit

from airflow_mlplat.contract import CACHE, CHECKPOINTS, CONTRACT_VERSION, SPEC_FILE, JobSpec
from airflow_mlplat.errors import ConfigError, ContractError
from airflow_mlplat.launchers.base import Image, Limits
from airflow_mlplat.launchers.directory import JobDirectory

IMAGES = "airflow-mlplat/{name}:latest"
"""Names of images; `{name}` is the framework, or `PREP`."""
PREP = "prep"
"""The image of jobs without a framework."""
PYTHON = "/opt/mlplat/bin/python"
"""In every image."""
CODE_LABEL, CONTRACT_LABEL = "airflow-mlplat.code-version", "airflow-mlplat.contract-version"
"""What an image says of the package in it."""
SECRETS = "/run/secrets"
"""Where a job finds the secrets that it may read."""
NOBODY = 65532
"""User and group of jobs where Airflow runs as root."""
PROCESSES = 4096
"""Most processes and threads of a job, without a limit of its own: frameworks start hundreds on large machines."""
WORKER_PORT = 29500
"""On which a job's workers are reached by each other, where it has several: each has an address of its own."""
SCRATCH_BYTES = 64 << 20
"""Of /tmp; what needs more belongs into the job's own TMPDIR, on a disk."""

GPU_SUFFIX = "+gpu"
"""After the image's digest in the spec of a job that gets GPUs."""

Grant = Callable[[JobSpec, Path], Optional[Path]]
"""Given a spec and a new folder: the folder that the job shall see as its store, maybe that one; None: none."""


@dataclass(frozen=True)
class Mount:
    """A folder that a container sees under its own path.

    Args:
        target: Its path in the container.
        source: Its path on the machine.
        writable: Whether the job may write there.
        each: Whether each worker sees there a folder of its own: that in `source` of its number.
    """

    target: str
    source: str
    writable: bool = False
    each: bool = False


def user() -> tuple[int, int]:
    """Who a job runs as: the one who runs Airflow, but never root."""
    return (os.geteuid(), os.getegid()) if os.geteuid() else (NOBODY, NOBODY)


def hand_over(directory: JobDirectory) -> None:
    """Give what a job may write of its prepared directory to the user that the job runs as."""
    if os.geteuid():
        return
    for worker in directory.workers():
        for folder, _, files in os.walk(worker.work):
            for path in [folder, *(os.path.join(folder, name) for name in files)]:  # noqa: PTH118 - walk gives text
                os.chown(path, *user(), follow_symlinks=False)


def image_name(images: str, framework: str | None) -> str:
    """Name of a framework's image."""
    return images.replace("{name}", framework or PREP)


def checked_image(name: str, digest: str, labels: Mapping[str, str] | None) -> Image:
    """What an image is to jobs.

    Args:
        name: Of the image.
        digest: Its own.
        labels: Its.

    Raises:
        ConfigError: It was not made for jobs.
        ContractError: The package in it speaks another contract version.
    """
    labels = labels or {}
    if CODE_LABEL not in labels or CONTRACT_LABEL not in labels:
        fix = "build it from the project's docker folder: make images"
        raise ConfigError(f"image {name!r} has no airflow-mlplat in it", expected=f"label {CODE_LABEL}", fix=fix)
    if labels[CONTRACT_LABEL] != str(CONTRACT_VERSION):
        raise ContractError(
            f"image {name!r} has airflow-mlplat of another contract version", expected=CONTRACT_VERSION,
            got=labels[CONTRACT_LABEL], fix="build it from the version that Airflow has: make images",
        )  # fmt: skip
    return Image(digest, labels[CODE_LABEL])


def runtime_command(_: JobSpec, directory: Path) -> list[str]:
    """What runs a job."""
    return [PYTHON, "-I", "-u", "-m", "airflow_mlplat.runtime", str(directory / SPEC_FILE)]


def local_store(spec: JobSpec) -> Path | None:
    """The folder of the spec's store; None if that is no folder."""
    parts = urlsplit(spec.store)
    return Path(unquote(parts.path)) if parts.scheme in ("", "file") else None


def check_reach(spec: JobSpec, limits: Limits) -> None:
    """Raise ConfigError if the job's store is beyond a network that it has not."""
    if local_store(spec) is None and limits.network is None:
        raise ConfigError(
            "a container has no network of itself, and the store is not on this machine",
            got=spec.store,
            fix="name a network that reaches it: limits={'network': 'bridge'}",
        )


def secret_mounts(limits: Limits, folder: Path | None) -> list[Mount]:
    """The files of a folder that a job may read.

    Raises:
        ConfigError: One of them is not there.
    """
    for name in limits.secrets:
        if folder is None or not (folder / name).is_file():
            raise ConfigError(
                f"there is no secret {name!r}", expected=f"a file in {folder}",
                fix="put it there, readable for the jobs' user, or set MLPLAT_SECRETS",
            )  # fmt: skip
    return [Mount(f"{SECRETS}/{name}", str(folder / name)) for name in limits.secrets if folder is not None]


def mounts(directory: JobDirectory, spec: JobSpec, readable: Path | None) -> list[Mount]:
    """What a job sees of the machine: the parts of its directory that it may write, or see, and its store.

    Args:
        directory: The job's.
        spec: Its.
        readable: Folder that it sees as its store, if that is a folder.
    """
    found = [
        Mount(str(directory.told), str(directory.told)),
        Mount(str(directory.work), str(directory.parts), writable=True, each=True),
    ]
    if spec.workers > 1:
        found.append(Mount(str(directory.checkpoints), str(directory.work / CHECKPOINTS)))
    store = local_store(spec)
    if store is not None and readable is not None:
        found.append(Mount(str(store), str(readable)))
    return found


def cache_mounts(spec: JobSpec, variables: Mapping[str, str]) -> list[Mount]:
    """The host's cache, for a job whose store is elsewhere; the folder is made.

    It is shared by all such jobs, which write there: no job whose store is on this machine gets it.
    """
    if CACHE not in variables or local_store(spec) is not None:
        return []
    folder = Path(variables[CACHE])
    folder.mkdir(parents=True, exist_ok=True)
    if not os.geteuid():
        os.chown(folder, *user())
    return [Mount(str(folder), str(folder), writable=True)]
