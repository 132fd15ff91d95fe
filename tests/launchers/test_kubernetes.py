"""The Kubernetes launcher passes the suite, on a real cluster; and what only it can get wrong: its Jobs and pods."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import time
import uuid
from pathlib import Path

import numpy as np
import pytest

from airflow_mlplat.contract import JobSpec
from airflow_mlplat.errors import BuildError, ConfigError, ContractError, JobDiedError, LaunchError
from airflow_mlplat.launchers import Handle, Image, JobState, KubernetesLauncher, KubernetesOptions, Limits, kubernetes
from airflow_mlplat.launchers.container import PYTHON, runtime_command
from airflow_mlplat.launchers.kubernetes_claim import Claim, Seen
from airflow_mlplat.launchers.kubernetes_cluster import Cluster
from tests.launchers.suite import WORKER, LauncherSuite, of_workers, processes_of, spec, until
from tests.launchers.workers_suite import WorkersSuite

pytestmark = pytest.mark.kubernetes

# Roles are made from what the page says, so that its permissions are known to suffice.
PAGE = Path(__file__).parents[2] / "docs/kubernetes.md"
PATIENCE = 1
"""Seconds in which a pod must start. Nobody asks before the cluster has said why it does not, however busy it is."""
IMAGES = {"prep": {"image": "airflow-mlplat/prep:1", "code_version": "c", "contract_version": 1}}


@pytest.fixture(scope="session")
def connect(kubernetes_config):
    """A function that makes a client of the cluster's API server."""
    from kubernetes.config import new_client_from_config

    return lambda: new_client_from_config(kubernetes_config)


@pytest.fixture
def make(connect):
    """A function that makes a launcher of `worker.py`; its Jobs are removed at the end."""
    made = []

    def make(folder: Path, changes=None, **options) -> KubernetesLauncher:
        def command(_, directory):
            return [PYTHON, "-u", "-c", WORKER.read_text(), str(directory)]

        given = KubernetesOptions(
            **{
                "volume": {"hostPath": {"path": str(folder)}},
                "mounted_at": str(folder),
                "images": IMAGES,
                **(changes or {}),
            }
        )
        launcher = KubernetesLauncher(folder, given, connect, **{"command": command, **options})
        made.append(launcher)
        return launcher

    yield make
    for launcher in made:
        for job in jobs(launcher):
            launcher.cluster.delete_job(job["metadata"]["name"], job["metadata"]["uid"])


@pytest.fixture
def secret(connect):
    """The name of a Secret with the keys `s3` and `other`."""
    from kubernetes.client import ApiException, CoreV1Api

    core, name = CoreV1Api(connect()), "mlplat-test"
    with contextlib.suppress(ApiException):
        core.delete_namespaced_secret(name, "default")
    core.create_namespaced_secret(
        "default", {"metadata": {"name": name}, "stringData": {"s3": "hunter2", "other": "x"}}
    )
    yield name
    core.delete_namespaced_secret(name, "default")


def jobs(launcher: KubernetesLauncher) -> list[dict]:
    """All Jobs of a launcher's installation."""
    return launcher.cluster.jobs(f"airflow-mlplat.installation={launcher.installation}")


def seen(launcher: KubernetesLauncher, handle: Handle) -> Seen:
    """What the cluster has of a job, once there is a pod."""
    claim = launcher._claim(launcher.directory(handle))
    return until(lambda: (found := claim.look()) and found.pod and found)


class TestKubernetesLauncher(LauncherSuite, WorkersSuite):
    @pytest.fixture(autouse=True)
    def _make(self, make):
        self.make = make

    def run(self, launcher, code: str, limits: Limits | None = None) -> tuple[Handle, str]:
        """Run some Python to its end; returns its log too."""
        launcher._command = lambda *_: [PYTHON, "-c", code]
        handle = launcher.submit(spec(), limits)
        self.end(launcher, handle, 40)
        return handle, launcher.logs(handle, 0)[0]

    def test_what_the_pod_is(self, launcher):
        limits = Limits(memory_bytes=200 << 20, cpus=0.5, shared_memory_bytes=8 << 20)
        handle = launcher.submit(spec(seconds=60), limits, {"dag_id": "a dag/é", "run_id": "manual__2026-01-31T00:00"})
        pod = seen(launcher, handle).pod
        launcher.cancel(handle)
        metadata, (container,) = pod["metadata"], pod["spec"]["containers"]
        assert container["resources"]["limits"] == container["resources"]["requests"]
        assert container["resources"]["limits"] == {"memory": str(200 << 20), "cpu": "500m"}
        assert metadata["labels"]["dag_id"] == "a_dag"
        assert metadata["annotations"]["dag_id"] == "a dag/é"
        assert metadata["labels"]["run_id"] == "manual__2026-01-31T00_00"
        assert metadata["annotations"]["airflow-mlplat.job"] == handle.job_key
        assert pod["spec"]["terminationGracePeriodSeconds"] == 3
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert paths == [
            "/tmp",
            "/dev/shm",
            f"{handle.directory}/told",
            str(launcher.directory(handle).work),
        ]  # and no token
        assert [mount.get("readOnly", False) for mount in container["volumeMounts"]] == [False, False, True, False]

    def test_what_a_job_may(self, launcher):
        _, log = self.run(launcher, "print(open('/proc/self/status').read())", Limits(shared_memory_bytes=8 << 20))
        status = dict(line.split(":\t", 1) for line in log.splitlines() if ":\t" in line)
        assert status["Uid"].split()[0] != "0"
        assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]) == (
            "0" * 16,
            "0" * 16,
            "1",
            "2",
        )

    @pytest.mark.parametrize("path", ["/etc/x", "/opt/mlplat/x", "/x"])
    def test_nothing_else_can_be_written(self, launcher, path):
        _, log = self.run(launcher, f"open({path!r}, 'w')")
        assert "Read-only file system" in log or "Permission denied" in log

    def test_the_store_is_read_only(self, tmp_path):
        (tmp_path / "granted").mkdir()
        (tmp_path / "granted/x").write_text("granted")
        launcher = self.make(tmp_path, grant=lambda *_: tmp_path / "granted")
        _, log = self.run(launcher, "print(open('/nowhere/x').read()); open('/nowhere/y', 'w')")
        assert log.startswith("granted\n")
        assert "Read-only file system: '/nowhere/y'" in log

    def test_a_folder_outside_the_volume(self, tmp_path):
        (tmp_path / "volume").mkdir()
        launcher = self.make(tmp_path, {"mounted_at": str(tmp_path / "volume")})
        with pytest.raises(ConfigError, match=r"not in the volume that pods mount; expected below .*/volume"):
            launcher.submit(spec())

    @pytest.mark.parametrize("limits", [Limits(network="bridge"), Limits(processes=50)], ids=str)
    def test_limits_that_pods_have_not(self, launcher, limits):
        with pytest.raises(ConfigError, match=r"cannot limit (network|processes).*NetworkPolicy"):
            launcher.submit(spec(), limits)

    def test_a_job_that_ended_well_is_removed_and_one_that_failed_is_kept(self, launcher):
        well, badly = launcher.submit(spec()), launcher.submit(spec(error="user"))
        for handle in (well, badly):
            self.end(launcher, handle)
            launcher.result(handle)
        until(lambda: len(jobs(launcher)) == 1)
        (job,) = jobs(launcher)
        assert job["metadata"]["annotations"]["airflow-mlplat.job"] == badly.job_key
        assert job["spec"]["ttlSecondsAfterFinished"] == 7 * 86400

    def test_sweep_removes_jobs_that_failed_long_ago(self, tmp_path):
        launcher = self.make(tmp_path, keep_days=1)
        handle = launcher.submit(spec(error="user"))
        self.end(launcher, handle)
        assert launcher.sweep() == []
        age(launcher, handle, 2 * 86400)
        assert launcher.sweep() == [handle.job_key]
        until(lambda: jobs(launcher) == [])
        assert not Path(handle.directory).exists()
        assert list((tmp_path / ".kubernetes").iterdir()) == []

    def test_sweep_removes_jobs_whose_directory_is_gone(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        shutil.rmtree(handle.directory)
        assert launcher.sweep() == [handle.job_key]
        until(lambda: jobs(launcher) == [])

    def test_sweep_ends_a_job_that_nobody_looks_at(self, launcher):
        """One whose pod is not even started: it cannot end itself."""
        handle = launcher.submit(spec(), Limits(memory_bytes=1 << 50))
        assert launcher.sweep() == []
        age(launcher, handle, 1000)
        assert launcher.sweep() == [handle.job_key]
        assert launcher.state(handle) is JobState.ENDED

    def test_the_output_is_there_for_kubectl_logs(self, launcher):
        handle = launcher.submit(spec(error="user"))
        self.end(launcher, handle)
        name = seen(launcher, handle).pod["metadata"]["name"]
        log = launcher.cluster._core.read_namespaced_pod_log(name, "default", _preload_content=False)
        assert log.data.decode().startswith("started")

    @pytest.mark.parametrize("grace", [0, 5])
    def test_a_pod_that_somebody_deleted(self, launcher, grace):
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        launcher.cluster.delete_pod(seen(launcher, handle).pod, grace)
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"(was stopped from outside|died, without)(.|\n)*ready"):
            launcher.result(handle)

    def test_a_job_that_somebody_deleted(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        launcher.cluster.delete_job(jobs(launcher)[0]["metadata"]["name"], jobs(launcher)[0]["metadata"]["uid"])
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match="was stopped from outside"):
            launcher.result(handle)

    def test_a_job_that_somebody_made_anew(self, launcher):
        """As `kubectl replace --force` does: the same name, labels and all, but another uid."""
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        (job,) = jobs(launcher)
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        launcher.cluster.delete_job(name, uid)
        self.end(launcher, handle)
        other = launcher.cluster.create_job(anew(job))["metadata"]["uid"]
        assert launcher.state(handle) is JobState.ENDED
        with pytest.raises(JobDiedError, match="was stopped from outside"):
            launcher.result(handle)
        launcher.cancel(handle)
        with pytest.raises(LaunchError, match=rf"is not the one that we made; got uid {other}.*then delete it"):
            launcher.submit(spec(seconds=60))
        launcher.cluster.delete_job(name, uid)  # which would be the other one, but for the uid
        assert launcher.cluster.job(name)["metadata"]["uid"] == other

    def test_a_job_whose_maker_died_before_it_wrote_down_the_uid(self, launcher, monkeypatch):
        monkeypatch.setattr(Claim, "record", lambda *_: os._exit(9))
        pid = os.fork()
        if not pid:
            launcher.submit(spec(seconds=1))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
        monkeypatch.undo()
        (job,) = jobs(launcher)
        assert launcher.state(launcher.handle(spec(seconds=1))) is JobState.RUNNING
        handle = launcher.submit(spec(seconds=1))
        assert [found["metadata"]["uid"] for found in jobs(launcher)] == [job["metadata"]["uid"]]
        self.end(launcher, handle)
        assert launcher.result(handle).error is None

    def test_a_job_that_another_host_made_at_the_same_time(self, launcher):
        handle = launcher.submit(spec(seconds=60))
        (job,) = jobs(launcher)
        claim = launcher._claim(launcher.directory(handle))
        claim.create(anew(job))
        assert claim.holds(job["metadata"]["uid"])
        launcher.cancel(handle)

    def test_a_job_that_runs_on_after_its_time_limit_is_ended(self, launcher, monkeypatch):
        """Its supervisor may be starved, by processes that it starts without end; here it is told of no limit."""
        monkeypatch.setattr(kubernetes, "OVERDUE_SECONDS", 0.5)
        handle = launcher.submit(spec(seconds=60))
        self.ready(launcher, handle)
        path = launcher.directory(handle).launch
        launch = json.loads(path.read_text())
        path.write_text(json.dumps({**launch, "limits": {**launch["limits"], "timeout_seconds": 1}}))
        self.end(launcher, handle)
        with pytest.raises(JobDiedError, match=r"was ended at its time limit of 1 s after"):
            launcher.result(handle)

    def test_a_job_that_wants_no_ending_can_be_cancelled(self, launcher):
        launcher._command = lambda *_: [
            PYTHON, "-uc", "import os, time; os.mkdir('exit.json'); print('ready'); time.sleep(60)"
        ]  # fmt: skip
        handle = launcher.submit(spec())
        self.ready(launcher, handle)
        launcher.cancel(handle)
        assert launcher.state(handle) is JobState.ENDED
        with pytest.raises(JobDiedError):
            launcher.result(handle)

    def test_links_that_a_job_leaves_are_not_followed(self, launcher, tmp_path):
        secret = tmp_path / "secret"
        secret.write_text("secret of the machine\n")
        handle, log = self.run(launcher, f"import os; os.remove('log.txt'); os.symlink({str(secret)!r}, 'log.txt')")
        assert log == ""
        with pytest.raises(BuildError) as caught:
            launcher.result(handle)
        assert "secret of" not in str(caught.value)


def test_a_job_far_from_its_store_has_a_cache(make, tmp_path):
    launcher = make(tmp_path, variables={"MLPLAT_CACHE": "/x/cache"})
    launcher._command = lambda *_: [PYTHON, "-c", "open('/x/cache/shard', 'w').close(); print('written')"]
    handle = launcher.submit(dataclasses.replace(spec(), store="s3://bucket/store"))
    until(lambda: launcher.state(handle) is JobState.ENDED)
    assert launcher.logs(handle, 0)[0] == "written\n"


def test_a_real_job_reads_the_store_and_leaves_its_output(make, tmp_path):
    from airflow_mlplat.hooks.launchers import readable
    from airflow_mlplat.store import Sample, SpanWriter, adopt, npy_bytes, open_store

    store = open_store(tmp_path / "store")
    with SpanWriter(store, "x", "2026-01-01", ["a", "b"]) as writer:
        for number in range(4):
            writer.add(Sample(str(number), npy_bytes(np.full((8, 8), number, np.uint8)), number % 2))
        span = writer.commit()
    launcher = make(tmp_path, command=runtime_command, grant=readable)
    work = JobSpec("dataset", "x", store.url, code_version="c", image=spec().image, inputs={"spans": [span]})
    handle = launcher.submit(work)
    until(lambda: launcher.state(handle) is JobState.ENDED, 40)
    result = adopt(store, launcher.outbox(handle), work, launcher.result(handle))
    assert result.error is None
    assert store.manifest(result.outputs["dataset"])["kind"] == "dataset"
    until(lambda: jobs(launcher) == [])


class TestPodsThatCannotStart:
    """Each ends, with a message that says what to do, and leaves nothing in the cluster."""

    def told(self, launcher, kind, message, limits=None, **changes) -> None:
        """Submit, wait until the cluster says why, then for the end; compare the message."""
        handle = launcher.submit(dataclasses.replace(spec(), **changes), limits)
        claim = launcher._claim(launcher.directory(handle))

        def complains() -> bool:
            found = claim.look()
            why = None if found is None else claim.waiting(found, 0)
            return why is not None and re.search(message, f"{why.what}. {why.fix}") is not None

        until(complains, 40)
        until(lambda: launcher.state(handle) is JobState.ENDED, 40)
        with pytest.raises(kind, match=message):
            launcher.result(handle)
        until(lambda: jobs(launcher) == [])

    def test_no_such_image(self, make, tmp_path):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE})
        image = "127.0.0.1:1/airflow-mlplat/nothing:1"
        self.told(launcher, JobDiedError, r"did not begin: its image cannot be pulled \(.*nothing:1", image=image)

    def test_an_image_that_shall_not_be_pulled(self, make, tmp_path):
        launcher = make(tmp_path, {"image_pull_policy": "Never"})
        self.told(launcher, ConfigError, "its node has not its image.*image_pull_policy", image="nothing:1")

    def test_an_image_of_no_valid_name(self, make, tmp_path):
        self.told(make(tmp_path), ConfigError, "the name of its image is not valid", image="NOTHING")

    @pytest.mark.parametrize(
        ("limits", "resource"),
        [(Limits(memory_bytes=1 << 50), "memory"), (Limits(cpus=10000), "cpu")],
        ids=["memory", "cpus"],
    )
    def test_no_room(self, make, tmp_path, limits, resource):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE})
        message = rf"no node has room for it \(Unschedulable: .*Insufficient {resource}.*ask for less"
        self.told(launcher, JobDiedError, message, limits)

    def test_what_it_waits_for_is_logged_once(self, make, tmp_path, caplog, monkeypatch):
        monkeypatch.setattr(kubernetes, "SAY_SECONDS", 0)
        launcher = make(tmp_path)
        handle = launcher.submit(spec(), Limits(memory_bytes=1 << 50))
        until(lambda: launcher.state(handle) is JobState.RUNNING and "no node has room" in caplog.text, 40)
        launcher.state(handle)
        (line,) = [record.getMessage() for record in caplog.records if "has not begun" in record.getMessage()]
        assert re.search(r"up to 900 s: no node has room for it \(Unschedulable: .*memory.*\)\. ask for less", line)
        launch = launcher.directory(handle).launch
        os.utime(launch, (time.time() - 350, time.time() - 350))
        launcher.cancel(handle)
        with pytest.raises(JobDiedError, match=r"was cancelled after 35\d"):
            launcher.result(handle)

    def test_no_gpu(self, make, tmp_path):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE, "gpus": 2})
        self.told(launcher, JobDiedError, r"Insufficient nvidia.com/gpu", image=spec().image + "+gpu")

    def test_no_such_node(self, make, tmp_path):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE, "node_selector": {"gpu": "h100"}})
        self.told(launcher, JobDiedError, "it may run on no node that is there.*mend node_selector")

    def test_no_such_secret(self, make, tmp_path):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE, "secret": "no-such-secret"})
        message = r'a secret that it sees is not there \(FailedMount: .*"no-such-secret" not found'
        self.told(launcher, ConfigError, message, Limits(secrets=("s3",)))

    def test_no_such_key_of_the_secret(self, make, tmp_path, secret):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE, "secret": secret})
        message = "a secret that it sees is not there .*references non-existent secret key: hdfs"
        self.told(launcher, ConfigError, message, Limits(secrets=("s3", "hdfs")))

    def test_no_such_volume(self, make, tmp_path):
        volume = {"persistentVolumeClaim": {"claimName": "no-such-claim"}}
        launcher = make(tmp_path, {"pending_seconds": PATIENCE, "volume": volume})
        self.told(launcher, ConfigError, r'the volume that it shall see is not there \(.*"no-such-claim" not found')

    def test_no_such_service_account(self, make, tmp_path):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE, "service_account": "no-such-account"})
        self.told(launcher, ConfigError, r"the cluster does not take its pod \(FailedCreate: .*no-such-account")

    def test_too_little_memory_to_start(self, make, tmp_path):
        launcher = make(tmp_path, {"pending_seconds": PATIENCE})
        self.told(launcher, ConfigError, "limits memory_bytes is too small for a pod", Limits(memory_bytes=1000))

    def test_an_image_that_is_not_ours(self, make, tmp_path):
        launcher = make(tmp_path)
        handle = launcher.submit(dataclasses.replace(spec(), image="localhost/pause:1"))
        until(lambda: launcher.state(handle) is JobState.ENDED)
        with pytest.raises(JobDiedError, match=r"ended by the cluster \(StartError: .*make images"):
            launcher.result(handle)


@pytest.mark.parametrize("volume", ["emptyDir", "hostPath"])
def test_a_volume_that_is_not_the_one_here(make, tmp_path, volume):
    (tmp_path / "another").mkdir()
    source = {"emptyDir": {}} if volume == "emptyDir" else {"hostPath": {"path": str(tmp_path / "another")}}
    (tmp_path / "mounted").mkdir()
    launcher = make(tmp_path / "mounted", {"volume": source})
    handle = launcher.submit(spec())
    until(lambda: launcher.state(handle) is JobState.ENDED)
    with pytest.raises(
        JobDiedError, match=r"did not find its directory .*volume or mounted_at.*\n.*told/launch.json is"
    ):
        launcher.result(handle)


class TestSecrets:
    def test_there_are_none(self, make, tmp_path):
        with pytest.raises(ConfigError, match=r"there is no secret 's3'. make a Kubernetes Secret"):
            make(tmp_path).submit(spec(), Limits(secrets=("s3",)))

    def test_a_job_reads_its_file_and_has_it_in_no_variable(self, make, tmp_path, secret):
        launcher = make(tmp_path, {"secret": secret})
        code = (
            "import os; s = open('/run/secrets/s3').read(); print(s, s in str(os.environ), os.listdir('/run/secrets'))"
        )
        launcher._command = lambda *_: [PYTHON, "-c", code]
        handle = launcher.submit(spec(), Limits(secrets=("s3",)))
        until(lambda: launcher.state(handle) is JobState.ENDED)
        log = launcher.logs(handle, 0)[0]
        assert log.startswith("hunter2 False ")
        assert "other" not in log
        assert not any("hunter2" in path.read_text() for path in Path(handle.directory).rglob("*.json"))


class TestPermissions:
    """As the service accounts that Airflow runs as, in a namespace of its own."""

    @pytest.fixture
    def namespace(self, connect):
        """The name of a new one; the cluster takes seconds to delete it."""
        from kubernetes.client import CoreV1Api

        core, name = CoreV1Api(connect()), f"mlplat-test-{uuid.uuid4().hex[:8]}"
        core.create_namespace({"metadata": {"name": name}})
        yield name
        core.delete_namespace(name)

    @pytest.fixture
    def account(self, connect, namespace):
        """A function from rules, as in a Role, to a client that has them."""
        from kubernetes.client import ApiClient, CoreV1Api, RbacAuthorizationV1Api

        admin, metadata = connect(), {"name": "mlplat-test"}
        core, rbac = CoreV1Api(admin), RbacAuthorizationV1Api(admin)

        def account(rules) -> ApiClient:
            core.create_namespaced_service_account(namespace, {"metadata": metadata})
            rbac.create_namespaced_role(namespace, {"metadata": metadata, "rules": rules})
            subject = {"kind": "ServiceAccount", **metadata, "namespace": namespace}
            role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", **metadata}
            binding = {"metadata": metadata, "roleRef": role, "subjects": [subject]}
            rbac.create_namespaced_role_binding(namespace, binding)
            made = core.create_namespaced_service_account_token("mlplat-test", namespace, {"spec": {}})
            return with_token(admin, made.status.token)

        return account

    def launcher(self, make, folder, namespace, client) -> KubernetesLauncher:
        launcher = make(folder, {"namespace": namespace})
        launcher._connect = lambda: client
        return launcher

    def test_those_of_the_page_suffice(self, make, tmp_path, connect, namespace, account):
        import yaml
        from kubernetes.client import RbacAuthorizationV1Api

        (text,) = re.findall(r"```yaml\n(apiVersion: rbac.*?)```", PAGE.read_text(), re.DOTALL)
        role, binding, _ = yaml.safe_load_all(text)
        assert (role["kind"], binding["kind"], binding["roleRef"]["name"]) == (
            "Role",
            "RoleBinding",
            role["metadata"]["name"],
        )
        # Taken as it is, but for its namespace; what binds the test's own account is its like.
        RbacAuthorizationV1Api(connect()).create_namespaced_role_binding(
            namespace, {**binding, "metadata": {"name": "page"}}, dry_run="All"
        )
        launcher = self.launcher(make, tmp_path, namespace, account(role["rules"]))
        well, long = launcher.submit(spec()), launcher.submit(spec(seconds=60))
        stuck = launcher.submit(spec(stuck=True), Limits(memory_bytes=1 << 50))
        both = launcher.submit(of_workers(2, greet=True))
        for handle in (well, both):
            until(lambda handle=handle: launcher.state(handle) is JobState.ENDED)
            assert launcher.result(handle).error is None
        launcher.cancel(long)
        assert launcher.sweep() == []
        launcher.cancel(stuck)
        launcher.cluster.warnings("no-such-uid")
        with pytest.raises(ConfigError, match="a permission is missing"):
            launcher.image(None, Limits(gpu="auto"))  # of the ClusterRole

    def test_one_that_is_missing_is_named(self, make, tmp_path, namespace, account):
        launcher = self.launcher(make, tmp_path, namespace, account([]))
        with pytest.raises(
            ConfigError, match=r'a permission is missing; got .*cannot get resource "jobs".*bind a Role'
        ):
            launcher.submit(spec())
        launcher._connect = make(tmp_path)._connect
        launcher._cluster = None

    @pytest.mark.parametrize("volume", ["emptyDir", "hostPath"])
    def test_pods_are_restricted_but_for_a_volume_of_the_nodes(self, make, tmp_path, namespace, volume):
        source = {"emptyDir": {}} if volume == "emptyDir" else {"hostPath": {"path": str(tmp_path)}}
        launcher = make(tmp_path, {"namespace": namespace, "pending_seconds": PATIENCE, "volume": source})
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        launcher.cluster._core.patch_namespace(namespace, {"metadata": {"labels": labels}})
        if volume == "hostPath":
            message = r"the cluster does not take its pod \(FailedCreate: .*restricted volume types"
            return TestPodsThatCannotStart().told(launcher, ConfigError, message)
        handle = launcher.submit(spec())
        assert seen(launcher, handle).pod
        launcher.cancel(handle)

    def test_a_quota_that_is_used_up(self, make, tmp_path, namespace):
        launcher = make(tmp_path, {"namespace": namespace, "pending_seconds": PATIENCE})
        quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
        launcher.cluster._core.create_namespaced_resource_quota(namespace, quota)
        time.sleep(1)  # until the controllers know of it
        TestPodsThatCannotStart().told(launcher, JobDiedError, r"the namespace's quota is used up \(FailedCreate: ")


def with_token(client, token: str):
    """A client of the same server, with another token."""
    from kubernetes.client import ApiClient, Configuration

    config = Configuration()
    config.host, config.ssl_ca_cert = client.configuration.host, client.configuration.ssl_ca_cert
    config.api_key, config.api_key_prefix = {"BearerToken": token}, {"BearerToken": "Bearer"}
    return ApiClient(config)


def test_a_server_that_is_not_there(make, tmp_path):
    from kubernetes.client import ApiClient, Configuration

    launcher, config = make(tmp_path), Configuration()
    config.host, config.retries = "https://127.0.0.1:1", False
    connected, launcher._connect = launcher._connect, lambda: ApiClient(config)
    with pytest.raises(LaunchError, match=r"the Kubernetes API server does not answer.*kubectl version"):
        launcher.submit(spec())
    launcher._connect, launcher._cluster = connected, None


def test_a_server_that_is_away_for_a_short_time(make, tmp_path, monkeypatch, caplog):
    from kubernetes.client import ApiClient, Configuration

    launcher, config = make(tmp_path), Configuration()
    config.host, config.retries = "https://127.0.0.1:1", False
    handle = launcher.submit(spec(seconds=60))
    assert launcher.state(handle) is JobState.RUNNING
    there, launcher._cluster = launcher.cluster, Cluster(ApiClient(config), "default")
    assert launcher.state(handle) is JobState.RUNNING
    assert "done" not in launcher.logs(handle, 0)[0]
    assert "Asking again: cannot look at job" in caplog.text
    monkeypatch.setattr(kubernetes, "OUTAGE_SECONDS", 0)
    with pytest.raises(LaunchError, match="does not answer"):
        launcher.state(handle)
    launcher._cluster = there
    launcher.cancel(handle)


def test_a_token_that_nobody_knows(make, tmp_path):
    launcher = make(tmp_path)
    connected = launcher._connect
    launcher._connect = lambda: with_token(connected(), "nobody's")
    with pytest.raises(ConfigError, match="the API server does not know who asks; got Unauthorized"):
        launcher.submit(spec())
    launcher._connect, launcher._cluster = connected, None


class TestImage:
    def test_what_the_options_say(self, make, tmp_path):
        assert make(tmp_path).image(None) == Image("airflow-mlplat/prep:1", "c")

    def test_one_that_they_do_not_name(self, make, tmp_path):
        with pytest.raises(ConfigError, match=r"name no image for 'caffe'; expected \['prep'\].*--describe"):
            make(tmp_path).image("caffe")

    def test_one_of_another_contract_version(self, make, tmp_path):
        images = {"prep": {**IMAGES["prep"], "contract_version": 99}}
        with pytest.raises(ContractError, match="expected 1; got 99"):
            make(tmp_path, {"images": images}).image(None)

    def test_gpus_are_part_of_it_if_there_are_any(self, make, tmp_path):
        assert make(tmp_path).image(None, Limits(gpu="required")).digest == "airflow-mlplat/prep:1+gpu"
        assert make(tmp_path).image(None, Limits(gpu="auto")).digest == "airflow-mlplat/prep:1"
        launcher = make(tmp_path, {"gpu_resource": "cpu"})
        assert launcher.image(None, Limits(gpu="auto")).digest == "airflow-mlplat/prep:1+gpu"


def anew(job: dict) -> dict:
    """The manifest that somebody makes a Job of again."""
    template = job["spec"]["template"]
    metadata = {name: job["metadata"][name] for name in ("name", "annotations")}
    template["metadata"].pop("labels")
    labels = {name: value for name, value in job["metadata"]["labels"].items() if "mlplat" in name}
    spec = {"backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {**metadata, "labels": labels}, "spec": spec}


def age(launcher: KubernetesLauncher, handle: Handle, seconds: float) -> None:
    """Let nobody have looked at a job for so long."""
    then = time.time() - seconds
    os.utime(launcher.directory(handle).lease, (then, then))


def test_a_handle_of_nothing(make, tmp_path):
    launcher = make(tmp_path)
    handle = launcher.handle(spec())
    assert launcher.sweep() == []
    assert launcher.state(handle) is JobState.ENDED
    launcher.cancel(handle)
    assert processes_of(tmp_path) == []
