"""The configuration of a job's container, as the Docker Engine takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_mlplat.contract import WORKER
from airflow_mlplat.launchers import container
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.docker_network import host
from airflow_mlplat.launchers.start import Launch

if TYPE_CHECKING:
    from docker import APIClient

LOG_OPTIONS = {"max-size": "10m", "max-file": "2"}
"""Of the container's own output, a copy of the job's log for `docker logs`."""


def container_config(
    engine: APIClient,
    worker: JobDirectory,
    launch: Launch,
    image: str,
    mounts: list[container.Mount],
    *,
    network: str | None = None,
) -> dict[str, Any]:
    """Not root, no capability, no new privilege, root file system read-only, no network but on demand, an init.

    Args:
        engine: That the container is for.
        worker: The job's directory, as one of its workers has it.
        launch: Its limits, and labels for the container.
        image: Digest of the image, so that the job runs in what its key says; with `GPU_SUFFIX` it gets GPUs.
        mounts: What it sees of the machine.
        network: In which it reaches the other workers, if there are any.
    """
    from docker.types import DeviceRequest, LogConfig, Mount

    limits, (digest, gpu, _) = launch.limits, image.partition(container.GPU_SUFFIX)
    first = worker.worker * launch.devices
    which: dict[str, Any] = {"count": -1}
    if network is not None:  # all workers are on this machine
        which = {"device_ids": [str(number) for number in range(first, first + launch.devices)]}
    host_config = engine.create_host_config(
        init=True,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode=network or limits.network or "none",
        mounts=[Mount(m.target, _source(m, worker), type="bind", read_only=not m.writable) for m in mounts],
        tmpfs={"/tmp": f"size={container.SCRATCH_BYTES},mode=1777"},
        pids_limit=limits.processes or container.PROCESSES,
        mem_limit=limits.memory_bytes,
        memswap_limit=limits.memory_bytes,
        nano_cpus=None if limits.cpus is None else int(limits.cpus * 1e9),
        shm_size=limits.shared_memory_bytes,
        device_requests=[DeviceRequest(**which, capabilities=[["gpu"]])] if gpu else None,
        log_config=LogConfig(type=LogConfig.types.JSON, config=LOG_OPTIONS),
    )
    uid, gid = container.user()
    return engine.create_container_config(
        image=digest,
        # Isolated (-I): nothing that a job left in a folder is imported.
        command=[container.PYTHON, "-I", "-m", "airflow_mlplat.launchers.contained", str(worker.path)],
        user=f"{uid}:{gid}",
        working_dir="/",
        labels=launch.labels,
        host_config=host_config,
        stop_signal="SIGTERM",
        **({} if network is None else _among_workers(engine, worker.worker, network)),
    )


def _source(mount: container.Mount, worker: JobDirectory) -> str:
    return f"{mount.source}/{worker.worker}" if mount.each else mount.source


def _among_workers(engine: APIClient, number: int, network: str) -> dict[str, Any]:
    """What tells a worker its number, and the others its name."""
    endpoint = engine.create_endpoint_config(aliases=[host(number)])
    return {
        "environment": {WORKER: str(number)},
        "networking_config": engine.create_networking_config({network: endpoint}),
    }


def has_gpu(engine: APIClient) -> bool:
    """Whether the engine says that it can give GPUs."""
    found = engine.info()
    return "nvidia" in (found.get("Runtimes") or {}) or bool(found.get("DiscoveredDevices"))
