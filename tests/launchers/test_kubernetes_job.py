"""The manifest of a Job; what a cluster makes of it is in test_kubernetes."""

from __future__ import annotations

import re

import pytest

from airflow_mlplat.errors import ConfigError
from airflow_mlplat.launchers import Limits
from airflow_mlplat.launchers.container import Mount
from airflow_mlplat.launchers.directory import JobDirectory
from airflow_mlplat.launchers.kubernetes_job import (
    below_volume,
    job_manifest,
    label_value,
    pod_spec,
    resources,
    service_manifest,
    subdomain_of,
    worker_host,
    worker_of,
)
from airflow_mlplat.launchers.kubernetes_options import KubernetesOptions
from airflow_mlplat.launchers.start import Launch


@pytest.fixture
def made(tmp_path):
    """A function from options and limits to a pod's spec; the job sees one folder."""
    (tmp_path / "jobs/k").mkdir(parents=True)

    def made(limits=None, image="x:1", mounts=None, variables=None, **changes):
        volume = {"persistentVolumeClaim": {"claimName": "c"}}
        options = KubernetesOptions(**{"volume": volume, "mounted_at": str(tmp_path), "images": {}, **changes})
        directory = JobDirectory(tmp_path / "jobs/k")
        own = Mount(str(directory.path), str(directory.path), writable=True)
        return pod_spec(
            options, directory, Launch([], limits or Limits(), 1, {}, variables or {}), image, mounts or [own]
        )

    return made


def test_one_pod_that_is_never_started_again():
    launch = Launch([], Limits(), 1, {"dag_id": "a b", "airflow-mlplat.job": "f" * 64})
    job = job_manifest("mlplat-x", launch, {"containers": []}, 60)
    assert job["spec"]["template"]["spec"] == {"containers": []}
    assert {name: job["spec"][name] for name in ("parallelism", "completions", "backoffLimit")} == {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 0,
    }
    assert job["spec"]["ttlSecondsAfterFinished"] == 60
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["annotations"] == launch.labels
        assert metadata["labels"] == {
            "app.kubernetes.io/name": "airflow-mlplat",
            "dag_id": "a_b",
            "airflow-mlplat.job": "f" * 63,
        }


@pytest.mark.parametrize("text", ["", "d", "x" * 64, "manual__2026-01-31T00:00:00+00:00", "-x-", "é", "x" * 62 + "_y"])
def test_label_values_are_valid(text):
    # https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", label_value(text))
    assert len(label_value(text)) <= 63


def test_what_a_pod_may(made):
    pod = made()
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] != 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (pod["restartPolicy"], pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (
        "Never",
        False,
        False,
    )
    assert "serviceAccountName" not in pod
    assert "env" not in container
    assert container["resources"] == {"limits": {}, "requests": {}}


def test_what_it_runs_and_sees(made, tmp_path):
    (tmp_path / "jobs/.kubernetes/k").mkdir(parents=True)
    place, granted = str(tmp_path / "jobs/k"), str(tmp_path / "jobs/.kubernetes/k")
    pod = made(mounts=[Mount(place, place, writable=True), Mount("/store", granted), Mount("/all", str(tmp_path))])
    (container,) = pod["containers"]
    assert container["command"][1:] == ["-I", "-m", "airflow_mlplat.launchers.contained", place]
    assert pod["volumes"] == [
        {"name": "platform", "persistentVolumeClaim": {"claimName": "c"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    assert container["volumeMounts"] == [
        {"name": "scratch", "mountPath": "/tmp"},
        {"name": "platform", "mountPath": place, "readOnly": False, "subPath": "jobs/k"},
        {"name": "platform", "mountPath": "/store", "readOnly": True, "subPath": "jobs/.kubernetes/k"},
        {"name": "platform", "mountPath": "/all", "readOnly": True},
    ]


def test_the_cache_is_not_in_the_volume_that_hosts_share(made):
    cache = {"mounts": [Mount("/x/cache", "/x/cache", writable=True)], "variables": {"MLPLAT_CACHE": "/x/cache"}}
    node = {"hostPath": {"path": "/var/cache/mlplat"}}
    for pod, source in ((made(**cache), {"emptyDir": {}}), (made(**cache, **{"cache": node}), node)):
        assert pod["volumes"][-1] == {"name": "cache", **source}
        assert pod["containers"][0]["volumeMounts"][-1] == {"name": "cache", "mountPath": "/x/cache"}


def test_shared_memory_and_secrets_are_mounted(made):
    pod = made(Limits(shared_memory_bytes=1 << 20, secrets=("s3",)), secret="mlplat")
    assert pod["volumes"][2:] == [
        {"name": "shared", "emptyDir": {"medium": "Memory", "sizeLimit": "1048576"}},
        {"name": "secrets", "secret": {"secretName": "mlplat", "items": [{"key": "s3", "path": "s3"}]}},
    ]
    mounts = pod["containers"][0]["volumeMounts"]
    assert {"name": "shared", "mountPath": "/dev/shm"} in mounts
    assert {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True} in mounts


def test_amounts():
    assert resources(Limits(), {}) == {}
    found = resources(Limits(memory_bytes=1 << 30, cpus=1.5), {"nvidia.com/gpu": 2})
    assert found == {"memory": "1073741824", "cpu": "1500m", "nvidia.com/gpu": "2"}
    assert resources(Limits(cpus=0.01), {}) == {"cpu": "10m"}


def test_gpus_are_given_to_jobs_whose_image_says_so(made):
    assert made(gpus=2)["containers"][0]["resources"]["limits"] == {}
    (container,) = made(image="x:1+gpu", gpus=2)["containers"]
    assert (container["image"], container["resources"]["limits"]) == ("x:1", {"nvidia.com/gpu": "2"})


def test_where_it_may_run(made):
    taint = {"key": "gpu", "operator": "Exists"}
    pod = made(node_selector={"disk": "ssd"}, tolerations=[taint], image_pull_secrets=["r"], service_account="jobs")
    assert (pod["nodeSelector"], pod["tolerations"]) == ({"disk": "ssd"}, [taint])
    assert (pod["imagePullSecrets"], pod["serviceAccountName"]) == ([{"name": "r"}], "jobs")


def test_folders_are_found_in_the_volume_through_links(tmp_path):
    (tmp_path / "volume/store").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "volume")
    assert below_volume(str(tmp_path / "link/store"), str(tmp_path / "volume")) == "store"
    assert below_volume(str(tmp_path / "volume"), str(tmp_path / "link")) == "."


def test_folders_that_no_pod_can_see(tmp_path):
    (tmp_path / "volume").mkdir()
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volume/out").symlink_to(tmp_path / "volumes")
    for outside in ("volumes", "volume/out"):
        with pytest.raises(ConfigError, match=r"not in the volume that pods mount; expected below .*MLPLAT_HOME"):
            below_volume(str(tmp_path / outside), str(tmp_path / "volume"))
    with pytest.raises(ConfigError, match=r"is not there; got .*/none.*mkdir"):
        below_volume(str(tmp_path / "volume/none"), str(tmp_path / "volume"))


def test_several_workers_are_an_indexed_job_with_a_service():
    launch = Launch([], Limits(), 1, {}, {"MLPLAT_WORKERS": f"{worker_host('mlplat-x', 0, 'mlplat-x-1f')}:1"})
    job = job_manifest("mlplat-x", launch, {"containers": []}, 60, 3)
    assert (job["spec"]["completionMode"], job["spec"]["completions"], job["spec"]["parallelism"]) == ("Indexed", 3, 3)
    assert subdomain_of(job) == "mlplat-x-1f"
    assert worker_host("mlplat-x", 2, "s") == "mlplat-x-2.s"
    service = service_manifest("mlplat-x", "u", "mlplat-x-1f")
    assert service["metadata"]["name"] == "mlplat-x-1f"
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"batch.kubernetes.io/controller-uid": "u"}
    assert service["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert worker_of({"metadata": {"labels": {"batch.kubernetes.io/job-completion-index": "2"}}}) == 2
    assert worker_of({"metadata": {}}) == 0


@pytest.mark.parametrize(
    ("workers", "where"),
    [(1, {"subPath": "jobs/k/work/0"}), (2, {"subPathExpr": "jobs/k/work/$(MLPLAT_WORKER)"})],
)
def test_each_worker_sees_a_folder_of_its_own(tmp_path, workers, where):
    directory = JobDirectory(tmp_path / "jobs/k", apart=True)
    for number in range(workers):
        (directory.parts / str(number)).mkdir(parents=True)
    options = KubernetesOptions({"hostPath": {"path": "/x"}}, str(tmp_path), {})
    own = Mount(str(directory.work), str(directory.parts), writable=True, each=True)
    (container,) = pod_spec(options, directory, Launch([], Limits(), 1, {}), "x:1", [own])["containers"]
    (seen,) = (mount for mount in container["volumeMounts"] if mount["name"] == "platform")
    expected = {"name": "platform", "mountPath": str(directory.work), "readOnly": False, **where}
    assert seen == expected
    assert ("env" in container) == (workers > 1)
