"""What an engine is asked for; what a container then is, is in test_docker."""

from __future__ import annotations

from pathlib import Path

import pytest

docker = pytest.importorskip("docker", reason="Docker's client is not in the job half")

from airflow_mlplat.launchers import Limits  # noqa: E402
from airflow_mlplat.launchers.container import Mount  # noqa: E402
from airflow_mlplat.launchers.directory import JobDirectory  # noqa: E402
from airflow_mlplat.launchers.docker_container import container_config, has_gpu  # noqa: E402
from airflow_mlplat.launchers.start import Launch  # noqa: E402

FIRST, SECOND = (JobDirectory(Path("/jobs/k"), apart=True, worker=number) for number in (0, 1))


@pytest.fixture(scope="module")
def engine():
    """A client that is not connected: what it makes of options needs no engine."""
    client = docker.APIClient(base_url="tcp://127.0.0.1:1", version="1.43")
    yield client
    client.close()


@pytest.fixture
def config(engine):
    """A function: the configuration of a worker's container."""

    def config(worker=FIRST, image="sha256:1", limits=None, devices=1, network=None):
        launch = Launch([], limits or Limits(), 900, {"dag_id": "d"}, devices=devices)
        mounts = [Mount("/jobs/k/work/0", "/jobs/k/work", writable=True, each=True), Mount("/store", "/jobs/k/store")]
        return container_config(engine, worker, launch, image, mounts, network=network)

    return config


def test_one_container_for_a_job_of_one_worker(config):
    found = config()
    assert (found["Image"], found["HostConfig"]["NetworkMode"], found["Labels"]) == (
        "sha256:1",
        "none",
        {"dag_id": "d"},
    )
    assert found["Cmd"][-1] == "/jobs/k"
    assert found.get("Env") is None
    assert found["HostConfig"].get("DeviceRequests") is None
    seen = [(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in found["HostConfig"]["Mounts"]]
    assert seen == [("/jobs/k/work/0", "/jobs/k/work/0", False), ("/jobs/k/store", "/store", True)]


def test_a_worker_among_others(config):
    found = config(SECOND, network="mlplat-k")
    assert found["Env"] == ["MLPLAT_WORKER=1"]
    assert found["HostConfig"]["NetworkMode"] == "mlplat-k"
    assert found["NetworkingConfig"]["EndpointsConfig"]["mlplat-k"]["Aliases"] == ["worker-1"]
    assert [mount["Source"] for mount in found["HostConfig"]["Mounts"]] == ["/jobs/k/work/1", "/jobs/k/store"]


def test_the_network_that_a_limit_names(config):
    assert config(limits=Limits(network="bridge"))["HostConfig"]["NetworkMode"] == "bridge"


def test_gpus_all_for_one_worker_and_shares_for_several(config):
    (all_,) = config(image="sha256:1+gpu")["HostConfig"]["DeviceRequests"]
    assert (all_["Count"], all_["DeviceIDs"], all_["Capabilities"]) == (-1, [], [["gpu"]])
    (second,) = config(SECOND, "sha256:1+gpu", devices=2, network="n")["HostConfig"]["DeviceRequests"]
    assert (second["Count"], second["DeviceIDs"]) == (0, ["2", "3"])


@pytest.mark.parametrize(
    ("info", "there"),
    [({}, False), ({"Runtimes": {"runc": {}}}, False), ({"Runtimes": {"nvidia": {}}}, True),
     ({"DiscoveredDevices": [{"ID": "nvidia.com/gpu=0"}]}, True)],
)  # fmt: skip
def test_whether_there_is_a_gpu(info, there):
    class Engine:
        def info(self):
            return info

    assert has_gpu(Engine()) == there
