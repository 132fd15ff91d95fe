"""Several workers in one loop, as threads: they train as one does, decide alike, and a kill changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_mlplat.errors import PlatformError
from airflow_mlplat.stages.model import load_facts, load_weights
from airflow_mlplat.stages.workers import ONE_WORKER, Alone, Workers, gathered
from tests.stages.linear import LinearTrainer

OPTIONS = {"epochs": 4, "checkpoint_every": 3, "validation_fraction": 0.2, "schedule": "cosine"}


class Quiet(LinearTrainer):
    """What a sample gives does not depend on which worker has it."""

    NOISE = 0


class Killed(BaseException):
    """As SIGKILL."""


class DiesAtStep8(LinearTrainer):
    def step(self, *batch):
        if self.count == 8:
            raise Killed
        super().step(*batch)


def weights_of(store, made):
    model = made.outputs["model"]
    return load_weights(store, model, load_facts(store, model)[1])["w"]


@pytest.mark.parametrize("count", [2, 4])
def test_they_train_as_one_does(train, train_together, dataset, store, count):
    data = dataset(range(300))
    one = train(data, trainer=Quiet, early_stop=2, **OPTIONS)
    first, *others = train_together(data, count, base=Quiet, early_stop=2, **OPTIONS)
    np.testing.assert_allclose(weights_of(store, first), weights_of(store, one), atol=1e-12)
    for mine, ones in zip(first.metrics["epochs"], one.metrics["epochs"]):
        assert mine == pytest.approx(ones, abs=1e-5)
    assert len(set(first.stats["batches"].split(","))) == count
    for other in others:
        assert (other.outputs, other.metrics) == ({}, first.metrics)
        assert other.stats["batches"] == first.stats["batches"]
        assert (other.stats["checkpoints"], first.stats["checkpoints"] > 0) == (0, True)


def test_a_kill_changes_nothing(train_together, dataset, tmp_path):
    data = dataset(range(200))
    whole, _ = train_together(data, 2, "whole", **OPTIONS)
    with pytest.raises(Killed):
        train_together(data, 2, "killed", base=DiesAtStep8, **OPTIONS)
    first, second = train_together(data, 2, "killed", **OPTIONS)
    assert (first.outputs, first.metrics) == (whole.outputs, whole.metrics)
    assert first.stats["batches"] == whole.stats["batches"]
    assert first.stats["resumed_from"] == second.stats["resumed_from"] == 6
    assert not (tmp_path / "killed-1/checkpoints").exists()


def test_workers_that_find_other_checkpoints_do_not_begin(train_together, dataset, tmp_path):
    data = dataset(range(200))
    with pytest.raises(Killed):
        train_together(data, 2, base=DiesAtStep8, **OPTIONS)
    told = r"found different checkpoints .* got step 6, step 0\. all of them must see the checkpoints of worker 0\."
    with pytest.raises(PlatformError, match=told):
        train_together(data, 2, checkpoints=tmp_path / "nowhere", **OPTIONS)


def test_one_alone():
    assert (ONE_WORKER.count, ONE_WORKER.rank, Alone().workers) == (1, 0, ONE_WORKER)
    assert Workers(1, (("127.0.0.1", 1), ("127.0.0.1", 2))).count == 2
    assert gathered(Alone(), 3) == [3]
    Alone().leave()
