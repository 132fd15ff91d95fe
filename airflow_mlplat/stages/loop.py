"""The training loop: the same for every framework, and the same after a kill as without one.

Training is cut into stretches that end every so many steps and with every epoch. What is random in a stretch follows
from the seed and its first step; sums of metrics are closed with it. So a checkpoint, which is only written between
stretches, is all that the rest of the training depends on.

Several workers run the same loop, each on its share of every batch. What they decide on, they add up before, so that
all of them decide alike; worker 0 alone writes checkpoints, and all of them read those.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from functools import cached_property
from logging import Logger
from typing import Any

import numpy as np

from airflow_mlplat.data import BatchIterator, Subset
from airflow_mlplat.data.shared import SharedIterator, StreamOptions
from airflow_mlplat.errors import PlatformError, SpecError
from airflow_mlplat.stages.batches import in_order, steps_per_epoch, training_batches
from airflow_mlplat.stages.checkpoint import Checkpoint, Checkpoints
from airflow_mlplat.stages.evaluate import LEAST_PROBABILITY
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.progress import ProgressLog
from airflow_mlplat.stages.seen import Seen
from airflow_mlplat.stages.trainer import Arrays, Measured, Trainer
from airflow_mlplat.stages.workers import gathered

DIGITS = 6
"""Decimals of metrics."""
CHECKPOINT_SHARE = 0.05
"""Of the time at most goes into checkpoints within an epoch, where no period was asked for."""


@dataclass(frozen=True)
class Training:
    """What a training is made of.

    Args:
        log: Told of the progress.
        options: How to train.
        trainer: Has the model.
        samples: To train on.
        validation: Samples held out, maybe none.
        checkpoints: Where to go on from, and to write.
        stream: How batches are shared with other trainings; None if they are not.
    """

    log: Logger
    options: TrainOptions
    trainer: Trainer
    samples: Subset
    validation: Subset
    checkpoints: Checkpoints
    stream: StreamOptions | None = None


@dataclass(frozen=True)
class Trained:
    """What a training gave, beside the weights in the trainer.

    Args:
        epochs: Plain JSON: of each epoch its number from 1, loss and accuracy.
        steps: Done in all.
        samples: Trained on in an epoch.
        stats: As in `Outcome`.
        kept: Index into `epochs` of the one whose weights the trainer has; the last unless training stops early.
    """

    epochs: list[dict[str, Any]]
    steps: int
    samples: int
    stats: dict[str, Any] = field(default_factory=dict)
    kept: int = -1


class Loop:
    """One training, from its start or from its newest checkpoint.

    Args:
        training: What it is made of.
    """

    def __init__(self, training: Training) -> None:
        self._log, self._options, self._trainer = training.log, training.options, training.trainer
        self._group, self._workers = training.trainer.group, training.trainer.group.workers
        self._samples, self._validation, self._checkpoints = training.samples, training.validation, training.checkpoints
        self._per_epoch = steps_per_epoch(len(training.samples), training.options.batch_size)
        self._steps = self._per_epoch * training.options.epochs
        self._classes, self._stream = len(training.samples.classes), training.stream
        self._step, self._stopped = 0, False
        self._epochs: list[dict[str, Any]] = []
        self._sums = Measured(0.0, 0.0)
        self._seen, self._seen_by_all = Seen(), [0] * self._workers.count
        self._best: Arrays = {}
        self._written_at, self._write_seconds, self._writes = time.monotonic(), 0.0, 0

    def run(self) -> Trained:
        """Train to the end."""
        with training_batches(self._samples, self._options, stream=self._stream, workers=self._workers) as iterator:
            first = self._resume(iterator)
            progress = ProgressLog(self._log, self._options, self._per_epoch, first)
            if not self._stopped and first < self._steps:
                self._train(iterator, progress)
            shared = {"stream": iterator.stats()} if isinstance(iterator, SharedIterator) else {}
        if self._best:
            self._trainer.load_weights(self._best)
        stats = {
            "resumed_from": first,
            "checkpoints": self._writes,
            **self._seen.stats(self._seen_by_all),
            **progress.stats(self._step),
            **shared,
        }
        kept = self._best_epoch() if self._options.early_stop else -1
        return Trained(self._epochs, self._step, len(self._samples), stats, kept)

    def _train(self, iterator: BatchIterator | SharedIterator, progress: ProgressLog) -> None:
        for batch in iterator:
            self._seen.add(batch)
            rate = self._options.rate(self._step, self._steps)
            self._trainer.step(batch.images, batch.targets(self._classes), rate)
            self._step += 1
            progress.tell(self._step)
            if self._step % self._options.stretch == 0 or self._step % self._per_epoch == 0:
                self._end_stretch(iterator)
            if self._stopped or self._step == self._steps:
                return

    def _resume(self, iterator: BatchIterator | SharedIterator) -> int:
        checkpoint = self._checkpoints.newest()
        self._check_same_start(0 if checkpoint is None else checkpoint.step)
        if checkpoint is None:
            return 0
        progress, arrays = checkpoint.progress, checkpoint.arrays
        self._step, self._epochs, self._stopped = checkpoint.step, progress["epochs"], progress["stopped"]
        self._sums, self._seen_by_all = Measured(*progress["sums"]), progress["seen"]
        self._seen = Seen(self._seen_by_all[self._workers.rank])
        self._best = {k[len("best/") :]: v for k, v in arrays.items() if k.startswith("best/")}
        self._trainer.load({k[len("state/") :]: v for k, v in arrays.items() if k.startswith("state/")})
        self._trainer.measure(self._step)
        iterator.set_state(progress["iterator"])
        self._log.info("Going on from the checkpoint at step %d of %d", self._step, self._steps)
        return self._step

    def _check_same_start(self, step: int) -> None:
        steps = gathered(self._group, step)
        if len(set(steps)) > 1:
            raise PlatformError(
                "the workers found different checkpoints to go on from",
                expected="the same in all",
                got=", ".join(f"step {found:.0f}" for found in steps),
                fix="all of them must see the checkpoints of worker 0",
            )

    def _end_stretch(self, iterator: BatchIterator | SharedIterator) -> None:
        epoch_ends = self._step % self._per_epoch == 0
        self._trainer.average()
        # Before `measure`, which sets what is random next: a run that goes on from here does not validate again.
        validated = self._validate() if epoch_ends and len(self._validation) else {}
        loss, correct = self._group.total(np.array(self._trainer.measure(self._step))).tolist()
        self._seen_by_all = [round(value) for value in gathered(self._group, self._seen.value or 0)]
        self._sums = Measured(self._sums.loss + loss, self._sums.correct + correct)
        if not math.isfinite(self._sums.loss):
            raise SpecError(
                f"the loss is not finite at step {self._step}", got=self._sums.loss,
                fix="lower learning_rate, or look at the model's output",
            )  # fmt: skip
        if epoch_ends:
            self._end_epoch(validated)
        if self._workers.rank == 0 and (epoch_ends or self._cheap_enough()):
            self._write(iterator)

    def _end_epoch(self, validated: dict[str, float]) -> None:
        samples = min(self._per_epoch * self._options.batch_size, len(self._samples))
        found = {
            "epoch": len(self._epochs) + 1,
            "loss": round(self._sums.loss / samples, DIGITS),
            "accuracy": round(self._sums.correct / samples, DIGITS),
            **validated,
        }
        self._epochs.append(found)
        self._sums = Measured(0.0, 0.0)
        told = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in found.items() if name != "epoch")
        self._log.info("Epoch %d of %d: %s", found["epoch"], self._options.epochs, told)
        if self._options.early_stop:
            self._stop_early()

    def _stop_early(self) -> None:
        best, last = self._best_epoch(), len(self._epochs) - 1
        if best == last:
            self._best = self._trainer.weights()
        elif last - best >= self._options.early_stop:
            self._stopped = True
            self._log.info("Stopped early: epoch %d was the best", best + 1)

    def _best_epoch(self) -> int:
        """Index of the first epoch with the least loss on the held-out samples."""
        losses = [epoch["validation_loss"] for epoch in self._epochs]
        return losses.index(min(losses))

    @cached_property
    def _held_out(self) -> BatchIterator:
        return in_order(self._validation, self._options, self._options.batch_size, self._workers, epochs=None)

    def _validate(self) -> dict[str, float]:
        loss, correct = 0.0, 0.0
        for batch in (batch for batch in self._held_out.epoch() if len(batch)):
            probabilities = self._trainer.predict(batch.images)
            told = probabilities[np.arange(len(batch.labels)), batch.labels].astype(np.float64)
            loss -= float(np.log(np.maximum(told, LEAST_PROBABILITY)).sum())
            correct += float((probabilities.argmax(axis=1) == batch.labels).sum())
        loss, correct = self._group.total(np.array([loss, correct])).tolist()
        n = len(self._validation)
        return {"validation_loss": round(loss / n, DIGITS), "validation_accuracy": round(correct / n, DIGITS)}

    def _cheap_enough(self) -> bool:
        if self._options.checkpoint_every is not None:  # so often its user wants them
            return True
        return (time.monotonic() - self._written_at) * CHECKPOINT_SHARE >= self._write_seconds

    def _write(self, iterator: BatchIterator | SharedIterator) -> None:
        started = time.monotonic()
        progress = {
            "iterator": iterator.get_state(),
            "epochs": self._epochs,
            "stopped": self._stopped,
            "sums": list(self._sums),
            "seen": self._seen_by_all,
        }
        arrays = {f"state/{k}": v for k, v in self._trainer.state().items()}
        arrays.update({f"best/{k}": v for k, v in self._best.items()})
        self._checkpoints.write(Checkpoint(self._step, progress, arrays))
        self._written_at, self._writes = time.monotonic(), self._writes + 1
        self._write_seconds = self._written_at - started
