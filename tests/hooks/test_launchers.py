"""This installation's launchers, by name."""

from __future__ import annotations

import json
import sys

import pytest

from airflow_mlplat.errors import ConfigError, SpecError
from airflow_mlplat.hooks.launchers import LAUNCHERS, kubernetes_client, launcher, launchers
from airflow_mlplat.hooks.settings import load_settings
from airflow_mlplat.launchers import Image, KubernetesLauncher

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
    with pytest.raises(SpecError, match=r"unknown launcher; expected docker | kubernetes | process; got 'nomad'"):
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
    with pytest.raises(ConfigError, match="has the wrong fields"):
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


def test_without_the_provider(monkeypatch):
    monkeypatch.setitem(sys.modules, "airflow.providers.cncf.kubernetes.hooks.kubernetes", None)
    with pytest.raises(ConfigError, match=r"Airflow's Kubernetes provider.*airflow-mlplat\[kubernetes\]"):
        kubernetes_client(None)
