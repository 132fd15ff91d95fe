"""This installation's launchers, by name, and what a job sees as its store."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import ConfigError, LaunchError, SpecError
from airflow_mlplat.hooks.jobs import JobHook, Where
from airflow_mlplat.hooks.launchers import LAUNCHERS, docker_engine, kubernetes_client, launcher, launchers, readable
from airflow_mlplat.hooks.settings import load_settings
from airflow_mlplat.launchers import Image, KubernetesLauncher, Limits
from airflow_mlplat.launchers.follow import follow
from airflow_mlplat.store import Sample, SpanWriter, npy_bytes, open_store

IMAGE = {"image": "x/prep:1", "code_version": "c", "contract_version": 1}
OPTIONS = {"volume": {"hostPath": {"path": "/data"}}, "mounted_at": "/data", "images": {"prep": IMAGE}}
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}


@pytest.fixture
def options(monkeypatch, tmp_path):
    """The file that MLPLAT_KUBERNETES names."""
    path = tmp_path / "kubernetes.json"
    path.write_text(json.dumps(OPTIONS))
    monkeypatch.setenv("MLPLAT_KUBERNETES", str(path))
    return path


def test_names():
    with pytest.raises(SpecError, match=r"unknown launcher; expected docker \| kubernetes \| process; got 'nomad'"):
        launcher("nomad", load_settings())
    assert [launcher(name, load_settings()).name for name in ("process", "docker")] == ["process", "docker"]


def test_kubernetes_is_there_where_it_is_set_up(options):
    found = launcher("kubernetes", load_settings())
    assert isinstance(found, KubernetesLauncher)
    assert found.image(None) == Image("x/prep:1", "c")
    assert [each.name for each in launchers(load_settings())] == list(LAUNCHERS)


def test_kubernetes_is_not_there_where_it_is_not_set_up(monkeypatch):
    monkeypatch.delenv("MLPLAT_KUBERNETES", raising=False)
    with pytest.raises(ConfigError, match=r"told of no cluster. set MLPLAT_KUBERNETES"):
        launcher("kubernetes", load_settings())
    assert [each.name for each in launchers(load_settings())] == ["process", "docker"]


def test_options_that_do_not_read_are_told(options):
    options.write_text("{}")
    with pytest.raises(ConfigError, match="lacks volume, mounted_at, images"):
        launcher("kubernetes", load_settings())


@pytest.mark.airflow
class TestKubernetesClient:
    @pytest.fixture(autouse=True)
    def _provider(self, airflow_home):
        pytest.importorskip("airflow.providers.cncf.kubernetes")

    def test_by_a_connection(self, monkeypatch):
        extra = {"kube_config": json.dumps(KUBECONFIG)}
        monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps({"conn_type": "kubernetes", "extra": extra}))
        assert kubernetes_client("cluster").configuration.host == "https://127.0.0.1:1"

    def test_by_the_users_own_file(self, monkeypatch, tmp_path):
        (tmp_path / "config").write_text(json.dumps(KUBECONFIG))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
        assert kubernetes_client(None).configuration.host == "https://127.0.0.1:1"

    def test_nothing_says_where_it_is(self, monkeypatch, tmp_path):
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
        with pytest.raises(ConfigError, match=r"nothing says where the Kubernetes cluster is.*set conn_id"):
            kubernetes_client(None)

    def test_a_connection_that_is_not_there(self):
        with pytest.raises(ConfigError, match=r"nothing says where .*no_such"):
            kubernetes_client("no_such")


@pytest.mark.airflow
@pytest.mark.kubernetes
def test_a_job_in_kubernetes_by_a_connection(monkeypatch, tmp_path, airflow_home, kubernetes_config):
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": kubernetes_config}}
    monkeypatch.setenv("AIRFLOW_CONN_CLUSTER", json.dumps(connection))
    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path / "home"))
    where = {"volume": {"hostPath": {"path": str(tmp_path)}}, "mounted_at": str(tmp_path), "conn_id": "cluster"}
    (tmp_path / "kubernetes.json").write_text(json.dumps({**OPTIONS, **where}))
    monkeypatch.setenv("MLPLAT_KUBERNETES", str(tmp_path / "kubernetes.json"))
    hook = JobHook()
    with SpanWriter(hook.store, "x", "2026-01-01", ["a", "b"]) as writer:
        for number in range(4):
            writer.add(Sample(str(number), npy_bytes(np.full((8, 8), number, np.uint8)), number % 2))
        span = writer.commit()
    spec = hook.spec("dataset", "x", where=Where("kubernetes"), params={}, inputs={"spans": [span]})
    assert spec.image == "x/prep:1"
    spec = dataclasses.replace(spec, image="airflow-mlplat/suite")  # the one that is loaded there
    handle = hook.launcher("kubernetes").submit(spec, Limits(memory_bytes=1 << 30))
    for _ in follow(hook.launcher("kubernetes"), handle):
        time.sleep(0.2)
    result = hook.commit(hook.launcher("kubernetes"), handle)
    assert hook.store.manifest(result.outputs["dataset"])["kind"] == "dataset"
    assert hook.store.reusable_result(spec.key) == result


def test_without_the_provider(monkeypatch):
    monkeypatch.setitem(sys.modules, "airflow.providers.cncf.kubernetes.hooks.kubernetes", None)
    with pytest.raises(ConfigError, match=r"Airflow's Kubernetes provider.*airflow-mlplat\[kubernetes\]"):
        kubernetes_client(None)


@pytest.fixture
def spec(tmp_path: Path) -> JobSpec:
    """Of a job on a store that has one blob, which the job needs, and another."""
    store = open_store(tmp_path / "store")
    store.put_blob(b"another")
    return JobSpec(
        "train", "digits", store.url, "c", "i", files={"build.py": store.put_blob(b"code")}, framework="mxnet"
    )


def test_user_code_sees_what_it_needs(spec: JobSpec, tmp_path: Path) -> None:
    assert readable(spec, tmp_path / "granted") == tmp_path / "granted"
    assert [path.name for path in (tmp_path / "granted/blobs").iterdir()] == list(spec.files.values())


def test_jobs_without_user_code_see_the_store(spec: JobSpec, tmp_path: Path) -> None:
    without = dataclasses.replace(spec, framework=None)
    assert readable(without, tmp_path / "granted") == tmp_path / "store"
    assert not (tmp_path / "granted").exists()
    assert readable(dataclasses.replace(spec, store="https://example.org/store"), tmp_path / "granted") is None


def test_an_engine_that_does_not_answer() -> None:
    with pytest.raises(LaunchError, match=r"the Docker Engine at tcp://127.0.0.1:1 does not answer.*DOCKER_HOST"):
        docker_engine("tcp://127.0.0.1:1")
