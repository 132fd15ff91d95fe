"""Run jobs in containers of a Docker Engine, one container for each.

A container's name follows from the job's key, so that a job is found again, whoever started it, and never started
twice. It does not outlive its job: how that ended is in the job's directory, and in the stopped container.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import LaunchError, MlplatError
from airflow_mlplat.launchers import container, ending
from airflow_mlplat.launchers.base import Handle, Image, Limits
from airflow_mlplat.launchers.container_launcher import INSTALLATION_LABEL, JOB_LABEL, ContainerLauncher
from airflow_mlplat.launchers.directory import JobDirectory, read_json, write_json
from airflow_mlplat.launchers.docker_container import container_config, has_gpu
from airflow_mlplat.launchers.docker_errors import told
from airflow_mlplat.launchers.start import Launch

if TYPE_CHECKING:
    from docker import APIClient

LOG = logging.getLogger(__name__)
STOP_SECONDS = 3
"""Between SIGTERM, after which the supervisor in the container ends the job, and SIGKILL."""
GRANTED = ".granted"
"""Folder, beside the jobs' directories, of what each job may read of the store."""
LIVING = ("running", "paused", "restarting")
"""States of a container that was started and has not ended."""
START_SECONDS = 60
"""How long one that was made may take until it is started; whoever made it has died since, if it takes longer."""


class DockerLauncher(ContainerLauncher):
    """The launcher for a Docker Engine whose machine sees our folders under the same paths.

    Args:
        jobs: Folder of the jobs' directories.
        engine: Connects to the engine; called when it is first needed.
        images: Names of the images, with `{name}` for the framework, or `prep` for jobs without one.
        orphan_seconds: A job that nobody asked for its state for so long ends itself.
        variables: Environment variables that every job gets.
        grant: Says which folder a job sees as its store; None: none.
        secrets: Folder of the files that jobs may ask for.
        keep_days: How long `sweep` leaves what an ended job left.
        command: What to run for a spec in a directory, instead of the runtime.
    """

    name, own_folder = "docker", GRANTED

    def __init__(
        self,
        jobs: Path,
        engine: Callable[[], APIClient],
        images: str = container.IMAGES,
        orphan_seconds: float = 900,
        variables: Mapping[str, str] | None = None,
        *,
        grant: container.Grant | None = None,
        secrets: Path | None = None,
        keep_days: float = 7,
        command: Callable[[JobSpec, Path], list[str]] = container.runtime_command,
    ) -> None:
        super().__init__(jobs, orphan_seconds, variables, grant=grant, keep_days=keep_days, command=command)
        self._connect, self._images, self._secrets = engine, images, secrets
        self._engine: APIClient | None = None

    @property
    def engine(self) -> APIClient:
        """The engine's client, connected once."""
        if self._engine is None:
            self._engine = self._connect()
        return self._engine

    def image(self, framework: str | None, limits: Limits | None = None) -> Image:
        """See `Launcher.image`; the image's own digest. One that the engine has not is pulled."""
        from docker.errors import ImageNotFound

        name = container.image_name(self._images, framework)
        with told(f"use image {name!r}"):
            try:
                found = self.engine.inspect_image(name)
            except ImageNotFound:
                LOG.info("Pulling image %s", name)
                self.engine.pull(name)
                found = self.engine.inspect_image(name)
            wanted = "off" if limits is None else limits.gpu
            gpu = wanted == "required" or (wanted == "auto" and has_gpu(self.engine))
        return container.checked_image(name, found["Id"] + container.GPU_SUFFIX * gpu, found["Config"]["Labels"])

    def told(self, doing: str) -> AbstractContextManager[None]:
        """See `docker_errors.told`."""
        return told(doing)

    def check(self, spec: JobSpec, limits: Limits) -> list[container.Mount]:
        """See `ContainerLauncher.check`."""
        container.check_reach(spec, limits)
        return container.secret_mounts(limits, self._secrets)

    def vacate(self, directory: JobDirectory) -> bool:
        """See `ContainerLauncher.vacate`."""
        found = self._inspect(directory)
        if found is not None and found["State"]["Status"] in LIVING:
            return True
        if found is not None:  # it has ended, or whoever made it died before it was started
            self._remove(found["Id"])
        return False

    def start(self, directory: JobDirectory, launch: Launch, image: str, mounts: list[container.Mount]) -> None:
        """See `ContainerLauncher.start`."""
        config = container_config(self.engine, directory, launch, image, mounts)
        made = self.engine.create_container_from_config(config, name=self._container_name(directory))
        try:
            self.engine.start(made["Id"])
        except Exception:
            self._remove(made["Id"])
            raise

    def remove(self, directory: JobDirectory) -> None:
        """See `ContainerLauncher.remove`."""
        self._remove(self._container_name(directory))

    def alive(self, directory: JobDirectory) -> bool:
        """Whether the job's container has not ended."""
        with told(f"look at job {directory.path.name[:12]}"):
            found = self._inspect(directory)
        return found is not None and _living(found)

    def died(self, directory: JobDirectory, job_key: str) -> MlplatError:
        """How the job ended, if need be by what the engine says of its container."""
        with told(f"look at job {job_key[:12]}"):
            found = self._inspect(directory)
        return ending.died(directory, job_key, {"reason": "gone"} if found is None else _ending(found, directory))

    def cancel(self, handle: Handle, by: Mapping[str, str] | None = None) -> None:
        """See `Launcher.cancel`."""
        directory = JobDirectory(Path(handle.directory))
        with told(f"cancel job {handle.job_key[:12]}"):
            found = self._inspect(directory)
            if found is None or not _living(found):
                return
            directory.ask_to_end(by)
            self.engine.stop(found["Id"], timeout=STOP_SECONDS)
            after = self._inspect(directory)
        if after is not None and after["Id"] == found["Id"] and _living(after):
            raise LaunchError(f"job {handle.job_key[:12]} does not end", got=after["State"], fix="see the engine's log")
        with directory.submitting():  # else it was submitted again meanwhile
            if not directory.exit.exists() and directory.cancel.exists():
                write_json(directory.exit, {**_ending(found, directory), "reason": "cancelled"})

    def sweep(self) -> list[str]:
        """See `Launcher.sweep`. The directories are swept with those of process jobs."""
        swept: list[str] = []
        if not (self.jobs / GRANTED).exists():  # no container was ever started, there may be no engine at all
            return swept
        with told("look for containers"):
            label = f"{INSTALLATION_LABEL}={self.installation}"
            for found in self.engine.containers(all=True, filters={"label": label}):
                key = found["Labels"][JOB_LABEL]
                directory = JobDirectory(self.jobs / key)
                if found["State"] in (*LIVING, "created"):
                    if _age(directory, found["Created"]) > self.orphan_seconds + 60:
                        self.cancel(Handle(self.name, key, str(directory.path)))
                        swept.append(key)
                elif _age(directory, found["Created"]) > self.keep_days * 86400:
                    self._remove(found["Id"])
                    swept.append(key)
        return swept

    def _inspect(self, directory: JobDirectory) -> dict[str, Any] | None:
        from docker.errors import NotFound

        try:
            return self.engine.inspect_container(self._container_name(directory))
        except NotFound:
            return None

    def _remove(self, name: str) -> None:
        from docker.errors import NotFound

        try:
            self.engine.remove_container(name, force=True, v=True)
        except NotFound:
            return


def _living(found: dict[str, Any]) -> bool:
    status, made = found["State"]["Status"], _time(found["Created"])
    starts = status == "created" and made is not None and time.time() - made.timestamp() < START_SECONDS
    return starts or status in LIVING


def _age(directory: JobDirectory, created: float) -> float:
    """Seconds since a task last looked at a job; since its container was made, if its directory is gone."""
    try:
        return time.time() - directory.lease.lstat().st_mtime
    except FileNotFoundError:
        return time.time() - created


def _ending(found: dict[str, Any], directory: JobDirectory) -> dict[str, Any]:
    """What `exit.json` would say, from the engine's view of a container."""
    state, launch = found["State"], read_json(directory.launch) or {}
    code = state["ExitCode"]
    ended = _time(state["FinishedAt"]) or datetime.now(timezone.utc)
    began = _time(state["StartedAt"]) or ended
    return {
        "reason": "memory limit" if state["OOMKilled"] else "exited",
        "exit_code": code if code <= 128 else None,
        "signal": code - 128 if code > 128 else None,
        "seconds": (ended - began).total_seconds(),
        "limits": launch.get("limits", Limits().to_json()),
    }


def _time(text: str) -> datetime | None:
    """An instant as the engine tells it, in nanoseconds; None for the zero that means never."""
    if text.startswith("0001"):
        return None
    return datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)
