"""Caffe, MXNet and TensorFlow in containers, on the same dataset version of real images."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.proofs.conftest import Proof

FRAMEWORKS = ("caffe", "mxnet", "tensorflow")
DAYS = 3
CHANGES = {'"process", type="string"': '"docker", type="string"', "FRAMEWORKS[:2]": "FRAMEWORKS"}


@pytest.mark.proof("three-frameworks", slow=True)
def test_three_frameworks(proof: Proof, fashion_home: Callable, docker_engine: str, docker_client) -> None:
    from fashion import DAYS as ALL_DAYS

    from airflow_mlplat.catalog import open_catalog

    last = ALL_DAYS[DAYS - 1]
    home = fashion_home("home", per_day=12000, tests=10000, changes=CHANGES, extra={"DOCKER_HOST": docker_engine})
    home.backfill("--max-active-runs", "1", last=last)
    catalog = open_catalog(f"sqlite:///{home.home}/catalog.db")
    trainings = {job.spec.framework: job for job in catalog.jobs("train") if job.run.partition == last}
    datasets = {str(job.spec.inputs["dataset"][0]) for job in trainings.values()}
    assert set(trainings) == set(FRAMEWORKS)
    for framework in FRAMEWORKS:
        accuracy = catalog.evaluations([trainings[framework].result.outputs["model"].digest])[0].metrics["accuracy"]
        note = f"{trainings[framework].result.stats['seconds']:.0f} s in a container, {DAYS * 12000} training images"
        proof.row(accuracy, f"of the 10,000 test images by {framework}", ">= 0.87", accuracy >= 0.87, note)
    proof.row(len(datasets), "dataset version for all three", "1", len(datasets) == 1, ", ".join(datasets))
    known = {name: docker_client.inspect_image(f"airflow-mlplat/{name}:latest")["Id"] for name in FRAMEWORKS}
    told = 0
    for name in FRAMEWORKS:
        nodes = catalog.lineage(f"model:fashion@{trainings[name].result.outputs['model'].digest}")["nodes"]
        told += nodes[f"job:{trainings[name].key}"]["detail"]["image"] == known[name]
    proof.row(told, "of 3 image digests in the lineage are those of the images", "3", told == 3)
    seen = {name: trainings[name].result.stats.get("batches") for name in FRAMEWORKS}
    equal = len(set(seen.values())) == 1 and None not in seen.values()
    proof.row("equal" if equal else str(seen), "digests of all batches", "equal", equal, str(seen["caffe"]))
    left = docker_client.containers(all=True, filters={"label": "dag_id=fashion_retraining"})
    proof.row(len(left), "containers left", "0", not left)
