"""The options of training and predicting: what they mean, and what they may be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_mlplat.contract import canonical_json
from airflow_mlplat.data import IteratorOptions
from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.params import EXAMPLE, FromParams
from airflow_mlplat.stages.schedules import SCHEDULES

OPTIMIZERS = ("adam", "sgd")
"""Every framework's trainer has these."""

PRECISIONS = ("float32", "bfloat16", "float16")
"""Whole, and two halves: of one the range is smaller, of the other the precision."""

STRETCH = 200
"""Steps between checkpoints, where nothing is said of them."""

GIVEN_PARAMS = ("classes", "shape", "framework")
"""What `build(params)` gets from us, beside the user's own `params`."""


@dataclass(frozen=True)
class TrainOptions(FromParams):
    """How a model is trained. Equal options on an equal dataset give equal weights, bit by bit, on one kind of CPU.

    With several workers they do so for equally many of them; with more than two, MXNet adds gradients up in the order
    in which they come, so that the last bits may differ from one run to the next.

    Args:
        shape: (height, width, channels) of the images; those of another size are fitted into it.
        decoder: `exact`, or `fast`, whose pixels differ a little; or as in `data.decoders`.
        resize: How pixels of another size are made: `bilinear`, `linear` which is faster, or as in `data.fit`.
        fit: What becomes of other proportions: `stretch`, `crop` or `pad`.
        augment: Steps done to each training image, such as `[{"name": "flip"}]`: see `data.augment`.
        sampling: Which samples come how often, such as `{"classes": "balanced"}`: see `data.sampling`.
        window: For a store far away: shuffle within windows of so many shards; 0 over all samples.
        epochs: Passes over the dataset.
        batch_size: Samples in a step, of all workers and devices together: each takes its share of them, so that
            their number changes no mathematics but of what looks at a batch, such as batch normalisation or mixup.
            An epoch's last batch is left out when smaller, unless it is the only one.
        learning_rate: Of the optimiser at the first step.
        optimizer: `adam`, or `sgd` with `momentum`.
        momentum: Of `sgd`, 0 to below 1.
        schedule: Key of `SCHEDULES`: how the learning rate goes on, `constant` or `cosine`.
        seed: Of the order of samples, first weights and dropout.
        threads: Of the framework; another number may round differently.
        devices: GPUs that each worker trains on at once. Where there is none, so many parts of the CPU, which is no
            faster, and not for several workers of TensorFlow. TensorFlow and MXNet.
        precision: What layers compute in: `float32`; or `bfloat16` or `float16`, where weights, their sums, losses and
            probabilities stay float32, and predictions are made in float32 afterwards. TensorFlow; MXNet computes in
            `bfloat16` on CPUs alone, in `float16` on GPUs alone.
        decode_threads: That make batches beside it.
        keep_bytes: Samples are decoded once, and stay in memory between epochs, if all those to train on take no more
            bytes than this, pixel by pixel of `shape`; and the held-out ones likewise. 0: never. None: 256 MiB, or an
            eighth of the memory that the job may have where that is less. No batch differs.
        shared_by: How many trainings on this host read the same batches at the same time: then these are decoded once
            for all of them. Each waits for the others, for a minute at most; the batches are the same either way.
        checkpoint_every: Steps between checkpoints, the most that a kill loses; each epoch ends with one. None: 200,
            or more where checkpoints would take more than 5 % of the time.
        validation_fraction: Share of samples that are held out of training and measured after each epoch.
        early_stop: Stop after so many epochs without a lower loss on the held-out samples, and take the best
            epoch's weights; 0 for never. Needs a `validation_fraction`.
        params: The user's own, handed to `build(params)`.
    """

    shape: tuple[int, int, int] = field(metadata={EXAMPLE: "[28, 28, 1] (height, width, channels)"})
    decoder: str = "exact"
    resize: str = "bilinear"
    fit: str = "stretch"
    augment: tuple[Mapping[str, Any], ...] = ()
    sampling: Mapping[str, Any] | None = None
    window: int = 0
    epochs: int = 5
    batch_size: int = 64
    learning_rate: float = 0.001
    optimizer: str = "adam"
    momentum: float = 0.9
    schedule: str = "constant"
    seed: int = 0
    threads: int = 1
    devices: int = 1
    precision: str = "float32"
    decode_threads: int = 2
    keep_bytes: int | None = None
    shared_by: int = 1
    checkpoint_every: int | None = None
    validation_fraction: float = 0.0
    early_stop: int = 0
    params: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _shape(self.shape))
        for name, low in (
            ("epochs", 1),
            ("batch_size", 1),
            ("seed", 0),
            ("threads", 1),
            ("devices", 1),
            ("decode_threads", 1),
            ("shared_by", 1),
            ("early_stop", 0),
        ):
            _integer(name, getattr(self, name), low)
        if self.checkpoint_every is not None:
            _integer("checkpoint_every", self.checkpoint_every, 1)
        _number("learning_rate", self.learning_rate, 0.0, math.inf, open_low=True)
        _number("momentum", self.momentum, 0.0, 1.0)
        _number("validation_fraction", self.validation_fraction, 0.0, 1.0)
        _choice("optimizer", self.optimizer, OPTIMIZERS)
        _choice("schedule", self.schedule, tuple(sorted(SCHEDULES)))
        _choice("precision", self.precision, PRECISIONS)
        if self.early_stop and not self.validation_fraction:
            raise SpecError("early_stop has nothing to measure", fix="set validation_fraction, such as 0.1")
        _own_params(self.params)
        object.__setattr__(self, "augment", self.batches().augment)

    def batches(self, **changed: Any) -> IteratorOptions:
        """What the data iterator is asked for.

        Args:
            changed: Options of it that are others than the training's.

        Raises:
            SpecError: One of them is wrong.
        """
        mine = {
            "batch_size": self.batch_size, "shape": self.shape, "seed": self.seed, "window": self.window,
            "threads": self.decode_threads, "decoder": self.decoder, "resize": self.resize, "fit": self.fit,
            "augment": self.augment, "sampling": self.sampling, "keep_bytes": self.keep_bytes,
        }  # fmt: skip
        return IteratorOptions(**{**mine, **changed})

    def to_json(self) -> dict[str, Any]:
        """As plain JSON, for a model's record: without `keep_bytes`, on which no bit of the model depends."""
        return {name: value for name, value in super().to_json().items() if name != "keep_bytes"}

    def build_params(self, classes: int, framework: str) -> dict[str, Any]:
        """What `build(params)` gets: the user's `params`, and `classes`, `shape`, `framework`."""
        return {**self.params, "classes": classes, "shape": self.shape, "framework": framework}

    @property
    def stretch(self) -> int:
        """Steps after which there may be a checkpoint."""
        return STRETCH if self.checkpoint_every is None else self.checkpoint_every

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, 0 … steps-1."""
        return self.learning_rate * SCHEDULES[self.schedule](step / steps)


@dataclass(frozen=True)
class PredictOptions(FromParams):
    """How predictions are made.

    Args:
        batch_size: Samples at a time; another number may round differently.
        threads: Of the framework.
    """

    batch_size: int = 256
    threads: int = 1

    def __post_init__(self) -> None:
        _integer("batch_size", self.batch_size, 1)
        _integer("threads", self.threads, 1)


def _integer(name: str, value: Any, low: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < 2**31:
        raise SpecError(f"{name} must be a whole number", expected=f"{low} or more", got=repr(value))


def _number(name: str, value: Any, low: float, high: float, open_low: bool = False) -> None:
    real = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not real or not low <= value < high or (open_low and value == low):
        least = f"above {low:g}" if open_low else f"{low:g} or more"
        raise SpecError(f"{name} must be a number", expected=f"{least}, below {high:g}", got=repr(value))


def _choice(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise SpecError(f"unknown {name}", expected=" | ".join(known), got=repr(value))


def _shape(value: Any) -> tuple[int, int, int]:
    sizes = tuple(value) if isinstance(value, (list, tuple)) else ()
    whole = all(isinstance(size, int) and not isinstance(size, bool) and size > 0 for size in sizes)
    if len(sizes) != 3 or not whole or sizes[2] not in (1, 3):
        raise SpecError("shape is wrong", expected="[height, width, channels], with 1 or 3 channels", got=repr(value))
    return sizes


def _own_params(params: Any) -> None:
    if not isinstance(params, dict):
        raise SpecError("params must be a dict", got=repr(params))
    canonical_json(params)
    taken = sorted(set(params) & set(GIVEN_PARAMS))
    if taken:
        raise SpecError(f"params has names that build(params) gets from us: {', '.join(taken)}", fix="rename them")
