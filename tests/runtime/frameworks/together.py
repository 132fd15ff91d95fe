"""What the trainers of several workers must do; the test modules of the frameworks that have them take these tests."""

from __future__ import annotations

import dataclasses
import signal
import time

import numpy as np
import pytest

from airflow_mlplat.contract import ExitCode
from airflow_mlplat.runtime.runner import STOPPED
from airflow_mlplat.stages.model import load_facts, load_weights
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


def test_what_one_worker_cannot_do_each_of_them_says(work, training, request):
    spec = two(work.train(training, request.module.OWN_LOOP, epochs=1))
    jobs = work.start_workers(spec, "own")
    logs = [job.communicate(timeout=60)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [ExitCode.USER_ERROR] * 2, logs
    for rank in range(2):
        told = work.result(f"own-{rank}").error.message
        assert told.startswith("a build file that trains on its own has one worker; expected workers 1; got 2.")
