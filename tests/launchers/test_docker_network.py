"""Networks of jobs, in a real engine."""

from __future__ import annotations

import pytest

from airflow_mlplat.launchers.docker_network import host, make_network, remove_network


def test_names_of_workers():
    assert [host(number) for number in range(2)] == ["worker-0", "worker-1"]


@pytest.mark.docker
def test_it_is_made_and_removed_once(docker_url):
    from docker import APIClient

    engine, name = APIClient(base_url=docker_url), "mlplat-test-network"
    for _ in range(2):
        make_network(engine, name, {"dag_id": "d"})
    (found,) = engine.networks(names=[name])
    assert (found["Internal"], found["Labels"]) == (True, {"dag_id": "d"})
    for _ in range(2):
        remove_network(engine, name)
    assert engine.networks(names=[name]) == []
    engine.close()
