"""Training by the user's own `train(ctx)` in the build file, in place of our loop.

```python
def train(ctx):
    start, state = ctx.resume()                      # (0, {}) at first, else what the last checkpoint said
    for epoch in range(start, ctx.options.epochs):
        for images, labels in ctx.batches(epoch):    # uint8 (n, H, W, C), int64 (n,)*
            ...                                      # change ctx.model
        ctx.checkpoint(epoch + 1, {"momentum": ...})
        ctx.report(loss=..., accuracy=...)
```
* or, where `augment` mixes images, float32 (n, classes): the shares of their classes.

When it returns, the weights of `ctx.model` are stored as after our loop, and the model predicts in the same way. What
is random in it, and whether a resumed run ends with the same weights, is its own care.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from airflow_mlplat.contract import canonical_json
from airflow_mlplat.errors import BuildError, SpecError
from airflow_mlplat.stages.batches import EpochBatches, steps_per_epoch
from airflow_mlplat.stages.build_file import BuildFile
from airflow_mlplat.stages.checkpoint import Checkpoint
from airflow_mlplat.stages.loop import Trained, Training
from airflow_mlplat.stages.progress import ProgressLog


class TrainContext:
    """What `train(ctx)` is given.

    Args:
        training: What there is to train with.
        batches: Of its samples.

    Attributes:
        model: What `build(params)` returned.
        log: Goes to the task's log.
        options: The operator's options, `TrainOptions`.
        params: The user's own of them.
        classes: Names of the classes, in the order of the labels.
    """

    def __init__(self, training: Training, batches: EpochBatches) -> None:
        self.log, self.options, self.params = training.log, training.options, training.options.params
        self.model = training.trainer.model
        self.classes = training.samples.classes
        self.epochs: list[dict[str, Any]] = []
        self.steps, self.resumed_from = 0, 0
        self._trainer, self._samples, self._checkpoints = training.trainer, training.samples, training.checkpoints
        self._batches = batches

    def batches(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The batches of an epoch, 0, 1, …: images uint8 (n, H, W, C), labels int64 (n,). In our loop's order.

        Where `augment` mixes images, labels are float32 (n, classes): the shares of their classes.
        """
        per_epoch = steps_per_epoch(len(self._samples), self.options.batch_size)
        progress = ProgressLog(self.log, self.options, per_epoch, self.steps)
        for batch in self._batches.epoch(epoch):
            yield batch.images, batch.targets(len(self.classes))
            self.steps += 1
            progress.tell(self.steps)

    def report(self, **metrics: float) -> None:
        """Record an epoch's metrics: numbers by name."""
        found = {"epoch": len(self.epochs) + 1, **{name: float(value) for name, value in metrics.items()}}
        canonical_json(found)  # refuses NaN, with the number in the message
        self.epochs.append(found)
        self.log.info(
            "Epoch %d: %s", found["epoch"], ", ".join(f"{k} {v:.4f}" for k, v in found.items() if k != "epoch")
        )

    def checkpoint(self, epoch: int, state: dict[str, np.ndarray] | None = None) -> None:
        """Keep the model's weights, the reports so far and whatever arrays are given.

        Args:
            epoch: The one to begin with when a killed run goes on.
            state: Arrays or numbers by name.
        """
        arrays = {f"weights/{k}": v for k, v in self._trainer.weights().items()}
        arrays.update({f"state/{k}": np.asarray(v) for k, v in (state or {}).items()})
        progress = {"epoch": epoch, "epochs": self.epochs}
        self._checkpoints.write(Checkpoint(self.steps, progress, arrays))

    def resume(self) -> tuple[int, dict[str, np.ndarray]]:
        """Put the newest checkpoint's weights into the model; returns its epoch and state, (0, {}) without one."""
        checkpoint = self._checkpoints.newest()
        if checkpoint is None:
            return 0, {}
        parts: dict[str, dict[str, np.ndarray]] = {"weights": {}, "state": {}}
        for name, array in checkpoint.arrays.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = array
        self._trainer.load_weights(parts["weights"])
        self.steps = self.resumed_from = checkpoint.step
        self.epochs = checkpoint.progress["epochs"]
        self.log.info("Going on from the checkpoint at step %d", checkpoint.step)
        return checkpoint.progress["epoch"], parts["state"]


def train_by_user(training: Training, build_file: BuildFile) -> Trained:
    """Run the build file's `train(ctx)`.

    Raises:
        BuildError: There is none, or it fails.
        SpecError: There are several workers or devices: what it would have to tell them is not ours to know.
    """
    function = build_file.train
    if function is None:
        raise BuildError("the build file has no function train", expected="def train(ctx):")
    workers, devices = training.trainer.group.workers.count, training.options.devices
    if workers * devices > 1:
        raise SpecError(
            "a build file that trains on its own has one worker, on one device", expected="workers 1, devices 1",
            got=f"workers {workers}, devices {devices}", fix="leave out its train(ctx), or workers and devices",
        )  # fmt: skip
    started = time.monotonic()
    with EpochBatches(training.samples, training.options, training.stream) as batches:
        ctx = TrainContext(training, batches)
        with build_file.blamed("train(ctx)"):
            function(ctx)
    stats = {"resumed_from": ctx.resumed_from, "training_seconds": round(time.monotonic() - started, 3)}
    return Trained(ctx.epochs, ctx.steps, len(training.samples), stats)
