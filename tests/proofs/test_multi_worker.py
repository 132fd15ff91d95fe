"""Two workers train a model together, in containers of Docker and in pods of an indexed Kubernetes Job."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_mlplat.contract import CONTRACT_VERSION, JobSpec
from airflow_mlplat.data import BatchIterator
from airflow_mlplat.launchers.container import CODE_LABEL
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.seen import Seen
from airflow_mlplat.stages.train import split
from airflow_mlplat.store import Samples, open_store
from tests.proofs.conftest import ROOT, Proof

FRAMEWORKS = ("tensorflow", "mxnet")
IMAGES, EPOCHS, BATCH = 6000, 6, 64
PERIOD = 20  # steps between checkpoints, as in the DAG
TOLERANCE = 0.02
"""Of the loss: sums are rounded in another order, and a training multiplies such differences."""
KILLS = 2
SEED = 20260102


@pytest.mark.proof("multi-worker", slow=True)
def test_multi_worker(
    proof: Proof, stack: Callable, tmp_path: Path, docker_client, request: pytest.FixtureRequest
) -> None:
    from fashion import seed

    home, dags = tmp_path / "home", tmp_path / "dags"
    shutil.copytree(ROOT / "tests/proofs/dags", dags)
    (dags / "models").mkdir()
    model = (ROOT / "dags/models/cnn.py").read_text()
    for dropout in ("layers.Dropout(0.25),", "nn.Dropout(0.25),"):  # noise that is another in each worker
        assert dropout in model
        model = model.replace(dropout, "")
    (dags / "models/cnn.py").write_text(model)
    seed(home / "sources/fashion", IMAGES, 100)
    connection = {"conn_type": "sqlite", "host": str(home / "sources/fashion/fashion.db")}
    engine, cluster = (request.getfixturevalue(name) for name in ("docker_engine", "cluster"))
    extra = {"AIRFLOW_CONN_FASHION": json.dumps(connection), "DOCKER_HOST": engine}
    launchers = {"docker": lambda key, worker: kill_container(docker_client, key, worker)}
    if cluster is not None:
        launchers["kubernetes"] = lambda key, worker: kill_pod(cluster.connect(), key, worker)
        extra |= kubernetes_variables(cluster, home, docker_client)
    airflow = stack("home", dags=dags, extra=extra)
    airflow.await_dag("kill")
    dice = random.Random(SEED)
    for framework in FRAMEWORKS:
        one = Run(airflow, home, framework, "docker", 1)
        alone, models = one.run(), {}
        for launcher, kill in launchers.items():
            both = Run(airflow, home, framework, launcher, 2)
            result = both.run()
            models[launcher] = result["outputs"]["model"]["digest"]
            told = f"{framework}, two workers by {launcher}"
            worst = farthest(losses(alone), losses(result))
            note = f"losses {losses(result)}; alone {losses(alone)}"
            proof.row(
                worst, f"largest relative difference of the loss, {told}", f"<= {TOLERANCE}", worst <= TOLERANCE, note
            )
            expected, once = batches_of(home, both.spec())
            seen = result["stats"]["batches"]
            equal = seen == expected and once
            proof.row("once" if equal else seen, f"every sample in an epoch, {told}", "once", equal, expected)
            for number in range(KILLS):
                worker = number % 2
                again = both.run(lambda key, worker=worker, kill=kill: kill(key, worker), dice.uniform(0.1, 0.6))
                since, step = again["stats"]["resumed_from"], both.newest
                good = both.hit and since >= step > 0 and again["stats"]["batches"] == expected
                same = again["outputs"]["model"]["digest"] == models[launcher]
                note = "the model of the undisturbed run" if same else "ANOTHER model than undisturbed"
                figure = f"resumed from {since}, checkpoint {step}"
                proof.row(figure, f"worker {worker} killed, {told}", f"<= {PERIOD} steps again", good and same, note)
        if len(models) == 2:
            same = len(set(models.values())) == 1
            proof.row("equal" if same else "another", f"{framework} model by docker and kubernetes", "equal", same)
    if cluster is None:
        proof.not_run("no Kubernetes: pods", "as by docker")
    left = docker_client.containers(all=True, filters={"label": "dag_id=kill"})
    networks = docker_client.networks(filters={"label": "dag_id=kill"})
    proof.row(len(left) + len(networks), "containers and networks left", "0", not left and not networks)


class Run:
    """A training of the DAG `kill`, to be run anew.

    Args:
        airflow: A running one.
        home: Its platform's.
        framework: Of the training.
        launcher: Of its job.
        workers: How many.
    """

    def __init__(self, airflow, home: Path, framework: str, launcher: str, workers: int) -> None:
        self.airflow, self.home = airflow, home
        self.conf = {"framework": framework, "launcher": launcher, "epochs": EPOCHS, "workers": workers}
        self.seconds, self.newest, self.hit = 0.0, 0, False

    def run(self, kill: Callable[[str], bool] | None = None, moment: float = 0.0) -> dict:
        """Run it; returns its result, as JSON.

        Args:
            kill: Given the job's key, kills a worker; returns whether it did.
            moment: When, as a share of the time that the undisturbed training took after its start.
        """
        self.hit = False
        for folder in self.folders():
            (self.home / f"store/results/{folder.name}.json").unlink(missing_ok=True)
            shutil.rmtree(folder)
        body = {"logical_date": None, "conf": self.conf}
        run = self.airflow.request("POST", "/api/v2/dags/kill/dagRuns", body)["dag_run_id"]
        if kill is not None:
            self.disturb(kill, moment)
        end = time.monotonic() + 600
        while (state := self.airflow.request("GET", f"/api/v2/dags/kill/dagRuns/{run}")["state"]) not in (
            "success",
            "failed",
        ):
            assert time.monotonic() < end, f"run {run} did not end"
            time.sleep(0.5)
        assert state == "success", f"run {run} of {self.conf} failed; see {self.airflow.folder}/logs"
        (folder,) = self.folders()
        result = json.loads((self.home / f"store/results/{folder.name}.json").read_text())
        if kill is None:
            self.seconds = result["stats"]["training_seconds"]
        print(f"{self.conf}: {result['stats']}, hit {self.hit}", flush=True)
        return result

    def folders(self) -> list[Path]:
        """The job's directory, if there is one."""
        found = []
        for path in self.home.glob("jobs/*/told/launch.json"):
            with contextlib.suppress(FileNotFoundError, ValueError):
                spec = JobSpec.from_json(json.loads((path.parents[1] / "spec.json").read_text()))
                labels = json.loads(path.read_text())["labels"]
                mine = (spec.framework, spec.workers) == (self.conf["framework"], self.conf["workers"])
                if mine and labels["airflow-mlplat.launcher"] == self.conf["launcher"]:
                    found.append(path.parents[1])
        return found

    def spec(self) -> JobSpec:
        """The job's."""
        (folder,) = self.folders()
        return JobSpec.from_json(json.loads((folder / "spec.json").read_text()))

    def disturb(self, kill: Callable[[str], bool], moment: float) -> None:
        """Kill a worker some time after the first checkpoint."""
        end = time.monotonic() + 200
        while not any(list(folder.rglob("step-*.npz")) for folder in self.folders()):
            assert time.monotonic() < end, f"{self.conf}: no checkpoint"
            time.sleep(0.05)
        time.sleep(moment * self.seconds)
        (folder,) = self.folders()
        steps = [int(path.stem[len("step-") :]) for path in folder.rglob("step-*.npz")]
        self.newest = max(steps)
        self.hit = kill(folder.name)


def kill_container(docker, key: str, worker: int) -> bool:
    """`docker kill` of one worker's container; whether it was at work."""
    ending = f"-{worker}" if worker else ""
    for found in docker.containers(filters={"label": f"airflow-mlplat.job={key}"}):
        (name,) = found["Names"]
        if name.count("-") == (3 if worker else 2) and name.endswith(ending):
            docker.kill(found["Id"])
            return True
    return False


def kill_pod(client, key: str, worker: int) -> bool:
    """Remove one worker's pod without grace; whether it was at work."""
    from kubernetes.client import CoreV1Api

    core = CoreV1Api(client)
    index = f"batch.kubernetes.io/job-completion-index={worker}"
    found = core.list_namespaced_pod("default", label_selector=f"airflow-mlplat.job={key[:63]},{index}").items
    running = [pod for pod in found if pod.status.phase == "Running"]
    for pod in running:
        core.delete_namespaced_pod(pod.metadata.name, "default", grace_period_seconds=0)
    return bool(running)


def kubernetes_variables(cluster, home: Path, docker) -> dict[str, str]:
    """What tells an Airflow of a cluster whose node has the images."""
    images = {}
    for role in (*FRAMEWORKS, "prep"):
        name, digest = cluster.image(role)
        code_version = docker.inspect_image(digest)["Config"]["Labels"][CODE_LABEL]
        images[role] = {"image": name, "code_version": code_version, "contract_version": CONTRACT_VERSION}
    where = {"volume": {"hostPath": {"path": str(home)}}, "mounted_at": str(home), "conn_id": "cluster"}
    home.mkdir(parents=True, exist_ok=True)
    (home / "kubernetes.json").write_text(json.dumps({**where, "images": images}))
    connection = {"conn_type": "kubernetes", "extra": {"kube_config_path": cluster.config}}
    return {"MLPLAT_KUBERNETES": str(home / "kubernetes.json"), "AIRFLOW_CONN_CLUSTER": json.dumps(connection)}


def losses(result: dict) -> list[float]:
    """Of each epoch."""
    return [epoch["loss"] for epoch in result["metrics"]["epochs"]]


def farthest(expected: list[float], got: list[float]) -> float:
    """The largest relative difference."""
    assert len(expected) == len(got) == EPOCHS
    return max(abs(one - other) / one for one, other in zip(expected, got))


def batches_of(home: Path, spec: JobSpec) -> tuple[str, bool]:
    """What the workers must have been given, told by the iterator alone; and whether that is every sample once.

    Returns:
        Checksums of all workers' batches, as in the result's `stats`; whether both together had in each epoch what
        one worker would have had, no sample twice.
    """
    options, store = TrainOptions.from_params(spec.params), open_store(home / "store")
    training, _ = split(Samples(store, spec.inputs["dataset"][0]), options.validation_fraction)
    sums, had, seen = [], Counter(), Seen()
    for rank in range(spec.workers):
        share = {"batch_size": options.batch_size // spec.workers, "shard_index": rank, "shard_count": spec.workers}
        seen = Seen()
        with BatchIterator(training, options.batches(**share, drop_remainder=True), options.epochs) as iterator:
            for batch in iterator:
                seen.add(batch)
                had.update((batch.epoch, int(row)) for row in batch.rows)
        sums.append(seen.value)
    alone = Counter()
    with BatchIterator(training, options.batches(drop_remainder=True), options.epochs) as iterator:
        for batch in iterator:
            alone.update((batch.epoch, int(row)) for row in batch.rows)
    return seen.stats(sums)["batches"], had == alone and set(had.values()) == {1}
