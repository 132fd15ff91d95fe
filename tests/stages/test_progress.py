"""Progress in the log."""

from __future__ import annotations

import logging

from airflow_mlplat.stages import progress
from airflow_mlplat.stages.options import TrainOptions

OPTIONS = TrainOptions(shape=(8, 8, 1), epochs=2, batch_size=10)
LOG = logging.getLogger("tests.stages")


def test_a_line_every_few_seconds(caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    told = progress.ProgressLog(LOG, OPTIONS, 50, 20)
    for step, now in ((21, 101.0), (60, 104.9), (70, 105.0), (71, 106.0), (100, 110.0)):
        clock[0] = now
        told.tell(step)
    assert caplog.messages == [
        "Epoch 2 of 2, step 70 of 100: 100 samples/s",
        "Epoch 2 of 2, step 100 of 100: 60 samples/s",
    ]
    assert told.stats(100) == {"training_seconds": 10.0, "samples_per_second": 80.0}


def test_no_speed_without_steps():
    assert progress.ProgressLog(LOG, OPTIONS, 50, 20).stats(20)["samples_per_second"] is None
