"""What a job in a container is and sees, and what becomes of one that wants more."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import pytest

from airflow_mlplat.launchers import DockerLauncher, Handle, KubernetesLauncher, KubernetesOptions, Limits
from airflow_mlplat.launchers.directory import JobDirectory
from tests.proofs.conftest import ROOT, Proof
from tests.proofs.hostile import HOSTILE, MARK, SECRETS, Home

LIMITS = Limits(memory_bytes=1 << 30, cpus=1, processes=400, timeout_seconds=900)
POD_LIMITS = Limits(memory_bytes=1 << 30, cpus=1, timeout_seconds=900, secrets=("token",))
"""How many processes a pod may have is its node's to say."""
IN_DOCKER = {
    "reaches the internet": ("socket.create_connection(('1.1.1.1', 53), 3)", "Network is unreachable"),
}
SERVER = "https://' + os.environ['KUBERNETES_SERVICE_HOST'] + '"
ASKS = "__import__('urllib.request').request.urlopen('{url}', context=__import__('ssl')._create_unverified_context())"
IN_KUBERNETES = {
    "reads a token of the cluster": (
        "open('/var/run/secrets/kubernetes.io/serviceaccount/token')",
        "No such file or directory",
    ),
    "asks the API server for secrets": (
        ASKS.format(url=f"{SERVER}/api/v1/namespaces/default/secrets"),
        "HTTP Error 403: Forbidden",
    ),
    "reads another secret": ("open('/run/secrets/other')", "No such file or directory"),
}
REACHES = """
import os, socket, time
def build(params):
    for connected in range(15):
        try:
            socket.create_connection((os.environ['KUBERNETES_SERVICE_HOST'], 443), 3)
        except OSError as error:
            raise RuntimeError(f'cut off after {connected} connections: {error}')
        time.sleep(1)
    raise RuntimeError('connected')
"""
"""A cluster does not say when a policy is in force, so for a while it may reach what it should not."""
MEETS = """
import os, socket, time
def build(params):
    address = os.environ['MLPLAT_WORKERS'].split(',')[0].split(':')[0], 8000
    if os.environ['MLPLAT_WORKER'] == '0':
        with socket.create_server(('', 8000)) as server:
            server.accept()
            time.sleep(60)
    while True:
        try:
            socket.create_connection(address, 3)
            break
        except ConnectionRefusedError:  # it is not there yet
            time.sleep(0.1)
    try:
        socket.create_connection((os.environ['KUBERNETES_SERVICE_HOST'], 443), 3)
    except OSError as error:
        raise RuntimeError(f'reached the other worker alone: {error}')
    raise RuntimeError('reached the API server, too')
"""


@pytest.fixture(autouse=True)
def airflow_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Secrets where Airflow has its own."""
    import airflow_mlplat.hooks.jobs  # noqa: F401 - Airflow reads its variables, now, not those below

    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLPLAT_HOME", str(tmp_path))


@pytest.mark.proof("isolation")
def test_isolation_in_docker(proof: Proof, docker_engine: str, docker_client: Any, tmp_path: Path) -> None:
    from docker import APIClient

    from airflow_mlplat.hooks.launchers import readable

    image = docker_client.inspect_image("airflow-mlplat/mxnet:latest")["Id"]
    launcher = DockerLauncher(tmp_path / "jobs", lambda: APIClient(base_url=docker_engine), grant=readable)
    home = Home(tmp_path, image, launcher, LIMITS)
    other = home.neighbour()
    (found,) = docker_client.containers(filters={"label": f"airflow-mlplat.job={other.job_key}"})
    inspected = docker_client.inspect_container(found["Id"])
    checks = of_container(inspected, home, other)
    take(proof, checks, "in `docker inspect`")
    secrets, files = home.secrets(other, inspected)
    proof.row(secrets, f"secrets of ours in it and in the {files} files of the job", "0", secrets == 0)
    home.attacked(proof, other, {**HOSTILE, **IN_DOCKER})
    launcher.cancel(other)
    launcher.engine.remove_container(found["Id"], force=True)


@pytest.mark.proof("isolation")
def test_isolation_in_kubernetes(proof: Proof, cluster: Any, tmp_path: Path) -> None:
    if cluster is None:
        proof.not_run("no Kubernetes: MLPLAT_TEST_KUBERNETES is not set", "as in Docker, by what the API server says")
        return
    from kubernetes.client import CoreV1Api, NetworkingV1Api

    from airflow_mlplat.hooks.launchers import readable

    namespace, (image, digest) = f"mlplat-isolation-{uuid.uuid4().hex[:8]}", cluster.image("mxnet")
    client = cluster.connect()
    core = CoreV1Api(client)
    core.create_namespace({"metadata": {"name": namespace}})
    try:
        secret = {"metadata": {"name": "jobs"}, "stringData": {"token": f"{MARK}token", "other": f"{MARK}other"}}
        core.create_namespaced_secret(namespace, secret)
        options = KubernetesOptions(
            {"hostPath": {"path": str(tmp_path)}}, str(tmp_path), {}, namespace=namespace, secret="jobs"
        )
        launcher = KubernetesLauncher(tmp_path / "jobs", options, cluster.connect, grant=readable)
        home = Home(tmp_path, image, launcher, POD_LIMITS)
        other = home.neighbour()
        (job,) = launcher.cluster.jobs(f"airflow-mlplat.installation={launcher.installation}")
        (pod,) = launcher.cluster.pods(job["metadata"]["uid"])
        take(proof, of_pod(pod, digest, home, other), "in the pod that the API server tells of")
        secrets, files = home.secrets(other, job, pod)
        what = f"secrets of ours in it, in its Job and in the {files} files of the job"
        proof.row(secrets, what, "0", secrets == 0)
        home.attacked(proof, other, {**HOSTILE, **IN_KUBERNETES})
        launcher.cancel(other)
        told = home.run(REACHES)
        proof.row(said(told), "", "without a policy, it reaches the API server", "RuntimeError: connected" in told)
        networking, (alone, several) = NetworkingV1Api(client), page_policies()
        networking.create_namespaced_network_policy(namespace, alone)
        told = home.run(REACHES)
        proof.row(said(told), "", "a pod is cut off by the page's NetworkPolicy", "RuntimeError: cut off" in told)
        networking.replace_namespaced_network_policy(several["metadata"]["name"], namespace, several)
        told, target = home.run(MEETS, workers=2), "by the page's policy for several, workers reach each other alone"
        proof.row(said(told), "", target, "RuntimeError: reached the other worker alone" in told)
    finally:
        core.delete_namespace(namespace)


def take(proof: Proof, checks: dict[str, bool], where: str) -> None:
    """Take the row of what must be so."""
    wrong = [name for name, right in checks.items() if not right]
    proof.row(len(checks) - len(wrong), f"things right {where}", f"{len(checks)}", not wrong, ", ".join(wrong))


def mounted(home: Home, job: Handle) -> dict[str, bool]:
    """What a job sees of the machine, and whether it may write there."""
    work = JobDirectory(Path(job.directory), apart=True).work
    return {f"{job.directory}/told": False, str(work): True, str(home.store.backend.root): False}


def of_container(inspected: dict, home: Home, job: Handle) -> dict[str, bool]:
    """What must be so."""
    host, config = inspected["HostConfig"], inspected["Config"]
    return {
        "not root": config["User"].split(":")[0] not in ("", "0", "root"),
        "no root group": config["User"].split(":")[1] != "0",
        "read-only root": host["ReadonlyRootfs"],
        "no network": host["NetworkMode"] == "none",
        "no capability": host["CapDrop"] == ["ALL"] and not host["CapAdd"],
        "not privileged": not host["Privileged"],
        "no new privileges": "no-new-privileges" in host["SecurityOpt"],
        "own processes": host["PidMode"] == "" and host["IpcMode"] in ("private", ""),
        "init": host["Init"],
        "memory": host["Memory"] == host["MemorySwap"] == LIMITS.memory_bytes,
        "processors": host["NanoCpus"] == 10**9,
        "processes": host["PidsLimit"] == LIMITS.processes,
        "mounts": {mount["Destination"]: mount["RW"] for mount in inspected["Mounts"]} == mounted(home, job),
        "variables": not any(name in json.dumps(config["Env"]) for name in SECRETS),
        "image by digest": inspected["Image"] == home.image,
    }


def of_pod(pod: dict, digest: str, home: Home, job: Handle) -> dict[str, bool]:
    """What must be so, the API server's defaults put in; its image is the one that the node says it runs."""
    spec, (container,), (status,) = pod["spec"], pod["spec"]["containers"], pod["status"]["containerStatuses"]
    who, may = spec["securityContext"], container["securityContext"]
    mounts = {mount["mountPath"]: not mount.get("readOnly", False) for mount in container["volumeMounts"]}
    volumes = {name for volume in spec["volumes"] for name in volume if name != "name"}
    return {
        "not root": who["runAsNonRoot"] and who["runAsUser"] != 0,
        "no root group": who["runAsGroup"] != 0 and not who.get("supplementalGroups"),
        "read-only root": may["readOnlyRootFilesystem"],
        "no capability": may["capabilities"] == {"drop": ["ALL"]},
        "not privileged": not may.get("privileged", False),
        "no new privileges": may["allowPrivilegeEscalation"] is False,
        "system calls": who["seccompProfile"] == {"type": "RuntimeDefault"},
        "own network": not spec.get("hostNetwork", False),
        "own processes": not any(spec.get(name, False) for name in ("hostPID", "hostIPC", "shareProcessNamespace")),
        "memory": container["resources"]["limits"]["memory"] == str(POD_LIMITS.memory_bytes),
        "processors": container["resources"]["limits"]["cpu"] in ("1", "1000m"),
        "mounts": mounts == {**mounted(home, job), "/tmp": True, "/run/secrets": False},
        "volumes": volumes == {"hostPath", "emptyDir", "secret"},
        "no token of the cluster": spec["automountServiceAccountToken"] is False,
        "secrets by reference": [v["secret"]["items"] for v in spec["volumes"] if "secret" in v]
        == [[{"key": "token", "path": "token"}]],
        "no variables": not container.get("env") and not container.get("envFrom"),
        "never started again": spec["restartPolicy"] == "Never",
        "image by digest": digest in status["imageID"],
    }


def said(told: str) -> str:
    """The error of a build file, in what its user reads."""
    found = re.search(r"RuntimeError: (.*?)\. Look at: ", told)
    return found[1] if found else told


def page_policies() -> tuple[dict, dict]:
    """The NetworkPolicies of docs/kubernetes.md, in whatever namespace: for jobs of one worker, and of several."""
    import yaml

    page = (ROOT / "docs/kubernetes.md").read_text()
    (alone,) = re.findall(r"```yaml\n(apiVersion: networking.*?)```", page, re.DOTALL)
    (added,) = re.findall(r"```yaml\n(  ingress:.*?)```", page, re.DOTALL)
    policies = yaml.safe_load(alone), yaml.safe_load(alone + added)
    for policy in policies:
        del policy["metadata"]["namespace"]
    return policies
