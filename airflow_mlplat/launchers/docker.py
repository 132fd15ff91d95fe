"""Run jobs in containers of a Docker Engine, one container for each of a job's workers.

A container's name follows from the job's key, so that a job is found again, whoever started it, and never started
twice. It does not outlive its job: how that ended is in the job's directory, and in the stopped container.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import LaunchError, MlplatError
from airflow_mlplat.launchers import container, ending
from airflow_mlplat.launchers.base import Handle, Image, JobState, Limits
from airflow_mlplat.launchers.container_launcher import ContainerLauncher
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.docker_container import container_config, has_gpu
from airflow_mlplat.launchers.docker_errors import pull, told
from airflow_mlplat.launchers.docker_network import host, make_network, remove_network
from airflow_mlplat.launchers.docker_state import LIVING, at_work, ended, living, seconds
from airflow_mlplat.launchers.files import read_json
from airflow_mlplat.launchers.start import Launch

if TYPE_CHECKING:
    from docker import APIClient

CONFLICT = HTTPStatus.CONFLICT
LOG = logging.getLogger(__name__)
STOP_SECONDS = 3
"""Between SIGTERM, after which the supervisor in the container ends the job, and SIGKILL."""
OVERDUE_SECONDS = 30
"""So long after its time limit a container is killed: the supervisor in it, which user code may stop, did not."""


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

    name = "docker"

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
        name = container.image_name(self._images, framework)
        with told(f"use image {name!r}"):
            from docker.errors import ImageNotFound

            try:
                found = self.engine.inspect_image(name)
            except ImageNotFound:
                LOG.info("Pulling image %s", name)
                pull(self.engine, name)
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
        return container.secret_mounts(limits, self._secrets) + container.cache_mounts(spec, self._variables)

    def vacate(self, directory: JobDirectory) -> bool:
        """See `ContainerLauncher.vacate`."""
        found = self._inspect(directory)
        if found is not None and found["State"]["Status"] in LIVING:  # worker 0 is started last
            return True
        self.remove(directory)  # it has ended, or whoever made it died before it was started
        return False

    def start(self, directory: JobDirectory, launch: Launch, image: str, mounts: list[container.Mount]) -> None:
        """See `ContainerLauncher.start`."""
        workers, network = directory.workers(), None
        try:
            if len(workers) > 1:
                network = self._container_name(directory)
                make_network(self.engine, network, launch.labels)
            for worker in reversed(workers):
                config = container_config(self.engine, worker, launch, image, mounts, network=network)
                made = self.engine.create_container_from_config(config, name=self._container_name(worker))
                if network is not None and launch.limits.network is not None:
                    self.engine.connect_container_to_network(made["Id"], launch.limits.network)
                self.engine.start(made["Id"])
        except Exception:
            self.remove(directory)
            raise

    def hosts(self, directory: JobDirectory, workers: int) -> list[str]:
        """See `ContainerLauncher.hosts`; names in the network that they have for themselves."""
        return [host(number) for number in range(workers)]

    def remove(self, directory: JobDirectory) -> None:
        """See `ContainerLauncher.remove`."""
        for worker in directory.workers():
            self._remove(self._container_name(worker))
        self._remove_network(directory)

    def _remove_network(self, directory: JobDirectory) -> None:
        """An engine has room for some dozens: none outlives its job, as containers may."""
        if len(directory.workers()) > 1:
            remove_network(self.engine, self._container_name(directory))

    def state(self, handle: Handle) -> JobState:
        """See `Launcher.state`."""
        directory = self.directory(handle)
        directory.renew_lease()
        with told(f"look at job {handle.job_key[:12]}"):
            found = self._workers(directory)
            if not self._at_work(directory, found):
                return self._end_all(directory)
            limit = (read_json(directory.launch) or {}).get("limits", {}).get("timeout_seconds")
            for one in found:
                if one is not None and limit is not None and living(one) and seconds(one) > limit + OVERDUE_SECONDS:
                    self.engine.kill(one["Id"])
        return JobState.RUNNING

    def _end_all(self, directory: JobDirectory) -> JobState:
        """End workers that wait for one that is no more, unless the job is just being started anew."""
        if len(directory.workers()) == 1:
            return JobState.ENDED
        with directory.submitting():
            found = self._workers(directory)
            if self._at_work(directory, found):
                return JobState.RUNNING
            for one in found:
                if one is not None and living(one):
                    self._stop(one["Id"])
            self._remove_network(directory)
        return JobState.ENDED

    def _at_work(self, directory: JobDirectory, found: list[dict[str, Any] | None]) -> bool:
        workers = directory.workers()
        return at_work(found, lambda number: ending.is_well(workers[number]))

    def alive(self, directory: JobDirectory) -> bool:
        """Whether the job's containers have not ended."""
        with told(f"look at job {directory.path.name[:12]}"):
            return self._at_work(directory, self._workers(directory))

    def answer(self) -> None:
        """See `ContainerLauncher.answer`."""
        self.engine.ping()

    def release(self, directory: JobDirectory) -> None:
        """See `ContainerLauncher.release`."""
        self._end_all(directory)

    def died(self, directory: JobDirectory, job_key: str) -> MlplatError:
        """How the job ended, if need be by what the engine says of its container."""
        with told(f"look at job {job_key[:12]}"):
            found = self._inspect(directory)
        known = {"reason": "gone"} if found is None else ended(found, read_json(directory.launch))
        if directory.cancel.exists():
            known["reason"] = "cancelled"
        return ending.died(directory, job_key, known)

    def cancel(self, handle: Handle, by: Mapping[str, str] | None = None) -> None:
        """See `Launcher.cancel`."""
        directory, until = self.directory(handle), time.monotonic() + STOP_SECONDS + 0.5
        with told(f"cancel job {handle.job_key[:12]}"):
            ours = [one for one in self._workers(directory) if one is not None and living(one)]
            if not ours:
                return
            with contextlib.suppress(FileNotFoundError):  # somebody removed the directory
                directory.ask_to_end(by)  # all of them, at once
            for one in ours:
                self._end(one["Id"], handle, until)
            self._remove_network(directory)

    def _end(self, container_id: str, handle: Handle, until: float) -> None:
        """Stop a container, also one that is only being started, to which a stop does nothing."""
        from docker.errors import NotFound

        with contextlib.suppress(NotFound):
            while True:
                left = until - time.monotonic()  # the first one's grace is the others', who were asked with it
                self.engine.stop(container_id, timeout=max(0, min(STOP_SECONDS, int(left))))
                found = self.engine.inspect_container(container_id)
                if not living(found):
                    return
                if time.monotonic() > until:
                    fix = "see the engine's log"
                    raise LaunchError(f"job {handle.job_key[:12]} does not end", got=found["State"], fix=fix)

    def _workers(self, directory: JobDirectory) -> list[dict[str, Any] | None]:
        return [self._inspect(worker) for worker in directory.workers()]

    def _inspect(self, directory: JobDirectory) -> dict[str, Any] | None:
        from docker.errors import NotFound

        try:
            return self.engine.inspect_container(self._container_name(directory))
        except NotFound:
            return None

    def _stop(self, name: str) -> None:
        from docker.errors import NotFound

        with contextlib.suppress(NotFound):
            self.engine.stop(name, timeout=STOP_SECONDS)

    def _remove(self, name: str) -> None:
        from docker.errors import APIError, NotFound

        try:
            self.engine.remove_container(name, force=True, v=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != CONFLICT:  # another task, which waits for the same job, removes it
                raise
