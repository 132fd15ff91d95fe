"""What the training loop and prediction ask of a framework; `runtime/frameworks` has one trainer for each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from airflow_mlplat.stages.workers import ONE_WORKER, Group, Workers

if TYPE_CHECKING:
    from airflow_mlplat.stages.build_file import BuildFile
    from airflow_mlplat.stages.options import TrainOptions

Arrays = dict[str, np.ndarray]
"""Arrays by name, in an order that does not change."""


class Measured(NamedTuple):
    """Sums over training samples: of their losses, and how many were classified rightly."""

    loss: float
    correct: float


class Trainer(Protocol):
    """One model of one framework, and all that training changes in it.

    Args (of the constructor):
        build_file: Builds the model; nothing of it may run before the framework is set up.
        options: `seed` and `threads` count even where nothing is trained.
        classes: How many.
        workers: Who trains the model together; each has a trainer of its own.
    """

    model: Any
    """The framework's own: what `build(params)` returned."""
    versions: dict[str, str]
    """Package → version of what computes."""
    group: Group
    """How it keeps the same model as the other workers' trainers."""

    def step(self, images: np.ndarray, targets: np.ndarray, learning_rate: float) -> None:
        """One step of the optimiser, by the mean of the gradients of all workers' batches.

        Args:
            images: uint8 (n, H, W, C), n the same for all workers.
            targets: int64 (n,) labels, or float32 (n, K) shares of the classes in mixed images.
            learning_rate: Of this step.
        """

    def measure(self, step: int) -> Measured:
        """Sums over this worker's batches since the last call. What is random from now on follows from the seed and
        `step`."""

    def average(self) -> None:
        """Where workers or devices have a model of their own: make those numbers of it alike that no gradient changes,
        such as the moving means of batch normalisation, by their mean."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, float32 (n, K), of uint8 (n, H, W, C) images."""

    def state(self) -> Arrays:
        """Copies of all that later steps depend on: weights, optimiser's slots, count of steps, random state."""

    def load(self, state: Arrays) -> None:
        """Go on from a `state` of the same build file and options."""

    def weights(self) -> Arrays:
        """Copies of the model's weights: all that predictions depend on."""

    def load_weights(self, weights: Arrays) -> None:
        """Take weights of the same build file.

        Raises:
            BuildError: They are not of this model.
        """

    def native(self, directory: Path) -> list[Path]:
        """Write the framework's own files of the model, the same bytes for the same weights."""


class TrainerFactory(Protocol):
    """Makes a trainer: its class."""

    def __call__(
        self, build_file: BuildFile, options: TrainOptions, classes: int, workers: Workers = ONE_WORKER
    ) -> Trainer: ...
