"""How batches are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from airflow_mlplat.data.augment import check_augment
from airflow_mlplat.data.decode import check_decoder
from airflow_mlplat.data.fit import check_target
from airflow_mlplat.data.sampling import check_sampling
from airflow_mlplat.errors import SpecError

_LEAST = {
    "batch_size": 1, "seed": None, "window": 0, "shard_index": 0, "shard_count": 1, "threads": 1, "prefetch": 1,
    "keep_bytes": 0,
}  # fmt: skip
"""Whole numbers, and the least that each may be."""


@dataclass(frozen=True)
class IteratorOptions:
    """Options of `BatchIterator`. Neither `threads` nor `prefetch` nor `keep_bytes` changes a byte of what it gives.

    Args:
        batch_size: Samples in a batch of one rank.
        shape: (height, width, channels) of the images, channels 1 or 3.
        seed: Of the order.
        shuffle: False keeps the manifest's order.
        window: Shuffle within windows of so many shards, for samples that lie far away; 0 over all of them.
        shard_index: This rank, from 0.
        shard_count: Ranks in all.
        drop_remainder: Leave out an epoch's last round of batches when it is not full for every rank.
        threads: That decode.
        prefetch: Batches that are decoded ahead of the one that is asked for.
        decoder: A key of `decoders.DECODERS`.
        resize: Filter for images of another size: a key of `fit.FILTERS` or `fit.OPENCV_FILTERS`.
        fit: What becomes of other proportions: a key of `fit.FITS`.
        augment: Steps, each a dict of `name` and parameters, as `augment` has them.
        sampling: None for each sample once in an epoch, or one of the forms of `sampling`.
        keep_bytes: Samples are decoded in the first epoch alone, and stay in memory as they are before augmentation, if
            all of them together take no more bytes than this: n · height · width · channels. 0 decodes them anew in
            each epoch; None keeps them if they take 256 MiB or less, and no more than an eighth of the memory that the
            process may have. Never done for one epoch, nor where the first step of `augment` takes whole images.

    Raises:
        SpecError: An option is of the wrong type, or outside its range.
    """

    batch_size: int = 64
    shape: tuple[int, int, int] = (28, 28, 1)
    seed: int = 0
    shuffle: bool = True
    window: int = 0
    shard_index: int = 0
    shard_count: int = 1
    drop_remainder: bool = False
    threads: int = 2
    prefetch: int = 4
    decoder: str = "exact"
    resize: str = "bilinear"
    fit: str = "stretch"
    augment: tuple[Mapping[str, Any], ...] = ()
    sampling: Mapping[str, Any] | None = None
    keep_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if name == "keep_bytes" and value is None:
                continue
            if not is_whole(value) or (least is not None and value < least):
                expected = "any" if least is None else f"{least} or more"
                raise SpecError(f"{name} must be a whole number", expected=expected, got=repr(value))
            object.__setattr__(self, name, int(value))  # numpy's are no JSON
        if self.shard_index >= self.shard_count:
            raise SpecError(
                "shard_index outside its ranks", expected=f"0 … {self.shard_count - 1}", got=self.shard_index
            )
        for name in ("shuffle", "drop_remainder"):
            if not isinstance(getattr(self, name), bool):
                raise SpecError(f"{name} must be said", expected="True | False", got=repr(getattr(self, name)))
        check_target(self.shape, self.resize, self.fit)
        object.__setattr__(self, "shape", tuple(self.shape))  # JSON has lists
        check_decoder(self.decoder)
        object.__setattr__(self, "augment", tuple(check_augment(self.augment, self.shape)))  # with its defaults
        check_sampling(self.sampling)
        if not self.shuffle and (self.window or self.sampling is not None):
            raise SpecError(
                "window and sampling are ways to shuffle", expected="shuffle True",
                got=f"shuffle False, window {self.window}, sampling {self.sampling!r}",
            )  # fmt: skip
        if self.window and self.sampling is not None:
            raise SpecError(
                "sampling draws from all shards", expected="window 0", got=self.window, fix="leave out one of them"
            )


def is_whole(value: Any) -> bool:
    """Whether it is a whole number, of Python or numpy; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)
