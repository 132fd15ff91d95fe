"""A checked list of steps, applied to samples and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from airflow_mlplat.data.augment.draws import BATCH, Draws
from airflow_mlplat.data.augment.mix import Mixed
from airflow_mlplat.data.augment.operations import BATCH_OPERATIONS
from airflow_mlplat.data.augment.spec import check_augment, operation_of
from airflow_mlplat.data.opencv import opencv
from airflow_mlplat.errors import SpecError


class Augmentation:
    """What an iterator does to its samples. Threads may share one; what it gives depends on none of them.

    Args:
        steps: See `spec`.
        shape: (height, width, channels) of what `image` gives.
        seed: Of all draws.

    Attributes:
        spec: The steps in canonical form; with seed, epoch, row and turn it tells all that was done to a sample.
        window_first: The first step takes the whole decoded image, of any size; else `image` takes the shape.

    Raises:
        SpecError: A step is wrong, or cannot stand where it does.
        ConfigError: A step needs OpenCV, which is not installed.
    """

    def __init__(self, steps: Sequence[Mapping[str, Any]], shape: Sequence[int], seed: int) -> None:
        self.spec = check_augment(steps, shape)
        self.shape, self.seed = (int(shape[0]), int(shape[1]), int(shape[2])), int(seed)
        self.window_first = bool(self.spec) and operation_of(self.spec[0]).whole
        batch = [step for step in self.spec if step["name"] in BATCH_OPERATIONS]
        self._steps = [self._bound(step) for step in self.spec if step not in batch]
        self._batch = (operation_of(batch[0]).apply, _parameters(batch[0])) if batch else None
        for step in self.spec:
            if operation_of(step).opencv or step.get("fill") == "reflect":
                opencv(f"augment {step['name']!r}")  # now, not in the middle of an epoch

    def _bound(self, step: dict[str, Any]) -> tuple[Any, float, dict[str, Any]]:
        """The function, how often it is called, and what it is given by name."""
        operation, given = operation_of(step), _parameters(step)
        probability = given.pop("probability", 1.0)
        if operation.whole:
            given.update(height=self.shape[0], width=self.shape[1])
        return operation.apply, probability, given

    def image(self, image: np.ndarray, epoch: int, row: int, turn: int = 0) -> np.ndarray:
        """One sample augmented.

        Args:
            image: uint8 (H, W, C), the whole decoded image if `window_first`, else of the shape. Left as it is.
            epoch: From 0.
            row: The sample's position in the manifest.
            turn: How often the row came before in the epoch.

        Returns:
            uint8 of the shape; the image itself if nothing was done to it.

        Raises:
            SpecError: The image is of another shape.
        """
        expected = (*image.shape[:2], self.shape[2]) if self.window_first else self.shape
        if image.shape != expected:
            raise SpecError(
                "image has a wrong shape for its augmentation", expected=expected, got=image.shape,
                fix="decode it with the iterator's shape, resize and fit: data.decode",
            )  # fmt: skip
        if not self._steps:
            return image
        image, draws = np.ascontiguousarray(image), Draws(self.seed, epoch, row, turn)
        for apply, probability, given in self._steps:
            if draws.chance(probability):
                image = apply(image, draws, **given)
        return image

    def batch(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        rows: np.ndarray,
        epoch: int,
        turns: Optional[np.ndarray] = None,
    ) -> Optional[Mixed]:
        """A batch's samples mixed with each other; None if no step does so.

        Args:
            images: uint8 (n, H, W, C), augmented one by one already; changed in place.
            labels: int64 (n,).
            rows: int64 (n,).
            epoch: From 0.
            turns: int64 (n,), how often each row came before in the epoch; None for never.
        """
        if self._batch is None:
            return None
        apply, given = self._batch
        before = [0] * len(rows) if turns is None else turns.tolist()
        draws = [Draws(self.seed, epoch, row, turn, BATCH) for row, turn in zip(rows.tolist(), before)]
        partners, shares = apply(images, draws, **given)
        return Mixed(images, labels[partners], shares)


def replay(
    steps: Sequence[Mapping[str, Any]],
    *,
    shape: Sequence[int],
    seed: int,
    epoch: int,
    row: int,
    image: np.ndarray,
    turn: int = 0,
) -> np.ndarray:
    """What a training saw of a sample, from what its lineage holds: the same bytes on any machine, at any time.

    Only steps on samples; to replay a batch-level step, leave it out here, and give `Augmentation.batch` all samples of
    the batch.

    Args:
        steps: `augment` of the job's iterator options.
        shape: Its `shape`.
        seed: Its `seed`.
        epoch: From 0.
        row: The sample's position in the dataset version's manifest.
        image: uint8 (H, W, C), decoded the same way: whole if the first step takes a window, else fitted to the shape.
        turn: How often the row came before in the epoch; 0 without weighted sampling.

    Returns:
        uint8 of the shape.

    Raises:
        SpecError: The image is not decoded or of a wrong shape, a number is below 0, or a step is on whole batches.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
        raise SpecError("replay takes a decoded image", expected="uint8 (H, W, C)", got=_described(image))
    if row < 0 or epoch < 0 or turn < 0:
        raise SpecError("row, epoch and turn count from 0", expected="0 or more", got=(row, epoch, turn))
    augmentation = Augmentation(steps, shape, seed)
    mixing = [step["name"] for step in augmentation.spec if step["name"] in BATCH_OPERATIONS]
    if mixing:
        raise SpecError(
            f"{mixing[0]} mixes the samples of a batch, and replay has one", expected="steps on samples", got=mixing,
            fix="leave it out here, and give all samples of the batch to Augmentation.batch",
        )  # fmt: skip
    return augmentation.image(image, epoch, row, turn)


def _described(image: object) -> str:
    return f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__


def _parameters(step: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in step.items() if key != "name"}
