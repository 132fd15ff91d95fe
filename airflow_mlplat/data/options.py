"""How batches are made."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlplat.data.decode import DECODERS, check_target
from airflow_mlplat.errors import SpecError

_LEAST = {"batch_size": 1, "seed": None, "shard_index": 0, "shard_count": 1, "threads": 1, "prefetch": 1}
"""Whole numbers, and the least that each may be."""


@dataclass(frozen=True)
class IteratorOptions:
    """Options of `BatchIterator`. Neither `threads` nor `prefetch` changes a byte of what it gives.

    Args:
        batch_size: Samples in a batch of one rank.
        shape: (height, width, channels) of the images, channels 1 or 3.
        seed: Of the order.
        shuffle: False keeps the manifest's order.
        shard_index: This rank, from 0.
        shard_count: Ranks in all.
        drop_remainder: Leave out an epoch's last round of batches when it is not full for every rank.
        threads: That decode.
        prefetch: Batches that are decoded ahead of the one that is asked for.
        resize: Filter for images of another size: a key of `decode.FILTERS`.
        decoder: A key of `decode.DECODERS`.

    Raises:
        SpecError: An option is of the wrong type, or outside its range.
    """

    batch_size: int = 64
    shape: tuple[int, int, int] = (28, 28, 1)
    seed: int = 0
    shuffle: bool = True
    shard_index: int = 0
    shard_count: int = 1
    drop_remainder: bool = False
    threads: int = 2
    prefetch: int = 4
    resize: str = "bilinear"
    decoder: str = "pillow"

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or (least is not None and value < least):
                expected = "any" if least is None else f"{least} or more"
                raise SpecError(f"{name} must be a whole number", expected=expected, got=repr(value))
        if self.shard_index >= self.shard_count:
            raise SpecError(
                "shard_index outside its ranks", expected=f"0 … {self.shard_count - 1}", got=self.shard_index
            )
        object.__setattr__(self, "shape", tuple(self.shape))  # JSON has lists
        check_target(self.shape, self.resize)
        if self.decoder not in DECODERS:
            raise SpecError("decoder is not known", expected=" | ".join(DECODERS), got=repr(self.decoder))
