"""How far a training is: a line in the log every few seconds."""

from __future__ import annotations

import time
from logging import Logger
from typing import Any

from airflow_mlplat.stages.options import TrainOptions

EVERY_SECONDS = 5.0


class ProgressLog:
    """Counts steps and time since a training began or went on.

    Args:
        log: Where to.
        options: Of the training.
        per_epoch: Steps of an epoch.
        first: Steps that were done before.
    """

    def __init__(self, log: Logger, options: TrainOptions, per_epoch: int, first: int) -> None:
        self._log, self._options, self._per_epoch, self._first = log, options, per_epoch, first
        self._began = self._told_at = time.monotonic()
        self._told = first

    def tell(self, step: int) -> None:
        """Log the speed since the last line, if that is some seconds ago."""
        now = time.monotonic()
        if now - self._told_at < EVERY_SECONDS:
            return
        speed = (step - self._told) * self._options.batch_size / (now - self._told_at)
        epoch, steps = (step - 1) // self._per_epoch + 1, self._per_epoch * self._options.epochs
        self._log.info("Epoch %d of %d, step %d of %d: %.0f samples/s", epoch, self._options.epochs, step, steps, speed)
        self._told_at, self._told = now, step

    def stats(self, step: int) -> dict[str, Any]:
        """Seconds and mean speed up to a step."""
        seconds = time.monotonic() - self._began
        samples = (step - self._first) * self._options.batch_size
        return {
            "training_seconds": round(seconds, 3),
            "samples_per_second": round(samples / seconds, 1) if seconds and samples else None,
        }
