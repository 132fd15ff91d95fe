"""What trainers of several workers or devices, or of half precision, must do; TensorFlow's and MXNet's take these."""

from __future__ import annotations

import dataclasses
import shutil
import signal
import time

import numpy as np
import pytest

from airflow_mlplat.contract import ExitCode
from airflow_mlplat.runtime.runner import STOPPED
from airflow_mlplat.stages.model import load_facts, load_weights
from airflow_mlplat.stages.predictions import load_predictions
from tests.runtime.frameworks.suite import wait_for

TOLERANCE = 2e-4


def two(spec, image="i"):
    return dataclasses.replace(spec, workers=2, image=image)


def weights_of(work, result):
    model = result.outputs["model"]
    return load_weights(work.store, model, load_facts(work.store, model)[1])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_two_workers_train_as_one_does(work, training, request, optimizer):
    rate = {"adam": 0.002, "sgd": 0.05}[optimizer]
    spec = work.train(
        training, request.module.PLAIN, epochs=4, optimizer=optimizer, learning_rate=rate, schedule="cosine",
        validation_fraction=0.1, early_stop=3,
    )  # fmt: skip
    (one,) = work.run(spec)
    first, second = work.run_workers(two(spec), f"two-{optimizer}")
    assert [result.error for result in (one, first, second)] == [None] * 3
    for mine, ones in zip(first.metrics["epochs"], one.metrics["epochs"]):
        assert mine == pytest.approx(ones, abs=TOLERANCE)
    for name, array in weights_of(work, first).items():
        np.testing.assert_allclose(array, weights_of(work, one)[name], atol=TOLERANCE)
    assert (second.outputs, second.metrics) == ({}, first.metrics)
    assert first.stats["batches"] == second.stats["batches"]
    assert len(set(first.stats["batches"].split(","))) == 2
    assert work.store.result(two(spec).key) == first
    assert not (work.folder / f"two-{optimizer}-1/checkpoints").exists()


def test_workers_that_are_killed_end_with_the_same_model(work, training, request):
    spec = two(work.train(training, request.module.BUILD, epochs=8, checkpoint_every=7, validation_fraction=0.1))
    whole = work.run_workers(spec, "whole")[0]
    assert whole.error is None, whole.error
    killed = two(spec, "killed")
    jobs = work.start_workers(killed, "killed")
    wait_for(jobs[0], 2)
    for job in jobs:
        job.kill()
        job.communicate()
    first, second = work.run_workers(killed, "killed")
    assert first.stats["resumed_from"] == second.stats["resumed_from"] > 0
    assert (first.outputs, first.metrics) == (whole.outputs, whole.metrics)
    assert first.stats["batches"] == whole.stats["batches"]


def test_a_worker_whose_peer_died_ends_by_sigterm_if_not_before(work, training, request):
    spec = two(work.train(training, request.module.PLAIN, epochs=500), "stopped")
    jobs = work.start_workers(spec, "stopped")
    wait_for(jobs[0], 1)
    jobs[1].kill()
    jobs[1].communicate()
    time.sleep(0.5)
    jobs[0].send_signal(signal.SIGTERM)
    jobs[0].communicate(timeout=20)  # which ends when its children do, too: they have the same stdout
    assert jobs[0].returncode in (STOPPED, ExitCode.PLATFORM_ERROR)  # TensorFlow notices that the other is gone
    assert (work.folder / "stopped-0/result.json").exists() == (jobs[0].returncode != STOPPED)
    assert work.store.result(spec.key) is None


def test_a_worker_that_fails_alone_says_so_at_once(work, training, request):
    """Nor does it wait for the others, who wait for it."""
    spec = two(work.train(training, request.module.PLAIN, epochs=500, validation_fraction=0.1), "one fails")
    damaged = work.folder / "damaged"
    shutil.copytree(work.store.url[len("file://") :], damaged)
    for shard in damaged.rglob("*.tar"):
        shard.write_bytes(shard.read_bytes().replace(b"NUMPY", b"numpy"))
    jobs = work.start_workers(spec, "fails", stores={1: str(damaged)})
    try:
        log = jobs[1].communicate(timeout=60)[0]
        assert jobs[1].returncode == ExitCode.PLATFORM_ERROR, log
        assert work.result("fails-1").error.type == "CorruptionError"
        assert "Training on 1246 samples" in log
    finally:
        jobs[0].terminate()
        jobs[0].communicate(timeout=20)
    assert jobs[0].returncode in (STOPPED, ExitCode.PLATFORM_ERROR)


def test_what_one_worker_cannot_do_each_of_them_says(work, training, request):
    spec = two(work.train(training, request.module.OWN_LOOP, epochs=1))
    jobs = work.start_workers(spec, "own")
    logs = [job.communicate(timeout=60)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [ExitCode.USER_ERROR] * 2, logs
    for rank in range(2):
        told = work.result(f"own-{rank}").error.message
        assert "one worker, on one device; expected workers 1, devices 1; got workers 2, devices 1." in told


def alone(work, spec):
    """Run one job in a process of its own: devices and precision are the whole process's."""
    (result,) = work.run(spec)
    assert result.error is None, result.error
    return result


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_several_devices_train_as_one_does(work, training, request, optimizer):
    how = {"epochs": 3, "optimizer": optimizer, "learning_rate": {"adam": 0.002, "sgd": 0.05}[optimizer]}
    specs = [
        work.train(training, request.module.PLAIN, devices=devices, validation_fraction=0.1, **how)
        for devices in (1, 2, 4)
    ]
    one, *others = [alone(work, spec) for spec in specs]
    for other in others:
        for mine, ones in zip(other.metrics["epochs"], one.metrics["epochs"]):
            assert mine == pytest.approx(ones, abs=TOLERANCE)
        for name, array in weights_of(work, other).items():
            np.testing.assert_allclose(array, weights_of(work, one)[name], atol=TOLERANCE)
        assert other.stats["batches"] == one.stats["batches"]


def test_half_precision_learns_as_well(work, training, testing, request):
    build, correct = request.module.BUILD, {}
    for precision in ("float32", *request.module.HALVES):
        how = {"epochs": 10, "schedule": "cosine", "validation_fraction": 0.1, "precision": precision}
        made = alone(work, work.train(training, build, **how))
        assert all(array.dtype != np.float16 for array in weights_of(work, made).values())
        predict = work.spec("predict", inputs={"model": [made.outputs["model"]], "dataset": [testing]})
        found = load_predictions(work.store, alone(work, predict).outputs["predictions"])
        np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
        correct[precision] = found.correct().mean()
        assert made.metrics["validation_accuracy"] > 0.95
    assert min(correct.values()) > correct["float32"] - 0.03, correct


def test_probabilities_of_half_precision_are_known_as_such(work, training, request):
    for precision in request.module.HALVES:
        how = {"epochs": 2, "precision": precision, "learning_rate": 0.01}
        logits, softmax = (
            alone(work, work.train(training, build, **how)).metrics
            for build in (request.module.LOGITS, request.module.SOFTMAX)
        )
        assert softmax["loss"] == pytest.approx(logits["loss"], rel=0.05)


def test_killed_with_devices_and_half_precision_it_ends_with_the_same_model(work, training, request):
    how = {"epochs": 8, "checkpoint_every": 7, "devices": 2, "precision": request.module.HALVES[-1]}
    spec = work.train(training, request.module.BUILD, **how)
    whole, killed = alone(work, spec), dataclasses.replace(spec, image="killed half")
    with work.start(killed, "killed-half") as job:
        wait_for(job, 2)
        job.kill()
    with work.start(killed, "killed-half") as job:
        log = job.stdout.read()
    result = work.result("killed-half")
    assert "Going on from the checkpoint at step" in log
    assert (result.outputs, result.metrics) == (whole.outputs, whole.metrics)


def test_two_workers_in_half_precision(work, training, request):
    spec = work.train(training, request.module.PLAIN, epochs=3, precision=request.module.HALVES[-1])
    one, (first, second) = alone(work, spec), work.run_workers(two(spec), "two-half")
    assert (first.error, second.error) == (None, None)
    assert first.metrics["loss"] == pytest.approx(one.metrics["loss"], rel=0.02)
