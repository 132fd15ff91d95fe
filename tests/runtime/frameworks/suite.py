"""What every framework's trainer must do; each framework's test module takes all of these tests."""

from __future__ import annotations

import dataclasses
import random
import re
import time

import numpy as np
import pytest

from airflow_mlplat.contract import ExitCode
from airflow_mlplat.stages.model import load_facts, load_weights
from airflow_mlplat.stages.predictions import load_predictions

KILLS, EPOCHS = 3, 12


def other_store(spec, image="another run"):
    """The same work under another key: it is not reused, and must give the same."""
    return dataclasses.replace(spec, image=image)


def wait_for(job, epoch):
    """Read a job's log until it has ended an epoch, or a later one: after a late kill the next run goes on there."""
    for line in job.stdout:
        found = re.search(r"Epoch (\d+) of", line)
        if found and int(found.group(1)) >= epoch:
            return
    raise AssertionError(f"the job ended before epoch {epoch} did")


def test_it_learns_and_repeats_itself_bit_by_bit(work, training, testing, request):
    build = request.module.BUILD
    spec = work.train(training, build, epochs=10, schedule="cosine", validation_fraction=0.1)
    first, second = work.run(spec)[0], work.run(other_store(spec))[0]
    assert first.error is None, first.error
    assert (first.outputs, first.metrics) == (second.outputs, second.metrics)
    model = first.outputs["model"]
    predict = work.spec("predict", inputs={"model": [model], "dataset": [testing]})
    again = dataclasses.replace(predict, image="another run")
    results = work.run(predict, again)
    assert results[0].outputs == results[1].outputs
    found = load_predictions(work.store, results[0].outputs["predictions"])
    assert found.correct().mean() > 0.9
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)
    assert first.metrics["validation_accuracy"] > 0.95
    document = work.store.manifest(model)
    assert set(document["files"]) == {"weights.npz", "build.py", *request.module.NATIVE}
    assert work.framework in document["training"]["versions"]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_killed_at_random_moments_it_ends_with_the_same_model(work, training, request, optimizer):
    rate = {"adam": 0.002, "sgd": 0.05}[optimizer]
    spec = work.train(
        training, request.module.BUILD, epochs=EPOCHS, checkpoint_every=7, optimizer=optimizer, learning_rate=rate
    )
    whole, chance = work.run(spec)[0], random.Random(optimizer)
    assert whole.error is None, whole.error
    killed = other_store(spec, "killed")
    for kill in range(KILLS):
        with work.start(killed, f"killed-{optimizer}") as job:
            wait_for(job, chance.randint(3 * kill + 1, 3 * kill + 3))
            time.sleep(chance.uniform(0, 0.1))
            job.kill()
    with work.start(killed, f"killed-{optimizer}") as job:
        log = job.stdout.read()
    assert job.returncode == ExitCode.OK, log
    assert "Going on from the checkpoint at step" in log
    result = work.result(f"killed-{optimizer}")
    assert (result.outputs, result.metrics) == (whole.outputs, whole.metrics)


def test_mistakes_are_the_users(work, training, request):
    cases = request.module.MISTAKES
    specs = [work.train(training, build, **{"epochs": 1, **options}) for build, options, _, _ in cases]
    for result, (build, _, kind, told) in zip(work.run(*specs), cases):
        error = result.error
        assert error is not None, build
        assert (error.kind, error.type) == ("user", kind), error
        assert all(part in error.message for part in told), error.message


def test_the_users_own_loop(work, training, testing, request):
    spec = work.train(training, request.module.OWN_LOOP, epochs=4)
    (trained,) = work.run(spec)
    assert trained.error is None, trained.error
    assert [epoch["epoch"] for epoch in trained.metrics["epochs"]] == [1, 2, 3, 4]
    (predicted,) = work.run(work.spec("predict", inputs={"model": [trained.outputs["model"]], "dataset": [testing]}))
    found = load_predictions(work.store, predicted.outputs["predictions"])
    assert found.correct().mean() > 0.85


def test_probabilities_and_logits_give_nearly_the_same(work, training, testing, request):
    specs = [work.train(training, build, epochs=2) for build in (request.module.LOGITS, request.module.SOFTMAX)]
    models = [result.outputs["model"] for result in work.run(*specs)]
    weights = [load_weights(work.store, model, load_facts(work.store, model)[1]) for model in models]
    for one, other in zip(weights[0].values(), weights[1].values()):
        np.testing.assert_allclose(one, other, atol=2e-3)
    specs = [work.spec("predict", inputs={"model": [model], "dataset": [testing]}) for model in models]
    found = [load_predictions(work.store, result.outputs["predictions"]) for result in work.run(*specs)]
    np.testing.assert_allclose(found[0].probabilities, found[1].probabilities, atol=1e-2)


def test_the_example_model_trains_on_it(work, training, root, request):
    build = (root / "dags/models/cnn.py").read_text()
    (result,) = work.run(work.train(training, build, epochs=1, shape=[28, 28, 1]))
    assert result.error is None, result.error
    assert result.metrics["accuracy"] > 0.5


def test_it_learns_from_augmented_mixed_and_balanced_samples(work, training, testing, request):
    steps = [{"name": "pad_and_crop", "padding": 1}, {"name": "mixup", "alpha": 0.2}]
    spec = work.train(
        training, request.module.BUILD, epochs=10, augment=steps, sampling={"classes": "balanced"}, fit="crop"
    )
    first, second = work.run(spec)[0], work.run(other_store(spec))[0]
    assert first.error is None, first.error
    assert first.outputs == second.outputs
    plain = work.run(work.train(training, request.module.BUILD, epochs=10))[0]
    assert plain.outputs != first.outputs
    predict = work.spec("predict", inputs={"model": [first.outputs["model"]], "dataset": [testing]})
    found = load_predictions(work.store, work.run(predict)[0].outputs["predictions"])
    assert found.correct().mean() > 0.9
    trained = work.store.manifest(first.outputs["model"])["training"]["options"]
    assert [step["name"] for step in trained["augment"]] == ["pad_and_crop", "mixup"]
