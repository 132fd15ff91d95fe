"""How batches are made."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_mlplat.data.decode import CHANNELS
from airflow_mlplat.errors import SpecError


@dataclass(frozen=True)
class IteratorOptions:
    """Options of `BatchIterator`.

    Args:
        batch_size: Samples in a batch of one rank.
        shape: (height, width, channels) of the images.
        seed: Of the order.
        shuffle: False keeps the manifest's order.
        shard_index: This rank, from 0.
        shard_count: Ranks in all.
        drop_remainder: Leave out an epoch's last round of batches when it is not full for every rank.
        threads: That decode.
        prefetch: Batches that wait, decoded, for the consumer.
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

    def __post_init__(self) -> None:
        for name in ("batch_size", "shard_count", "threads", "prefetch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise SpecError(f"{name} must be a whole number", expected="1 or more", got=repr(value))
        if not 0 <= self.shard_index < self.shard_count:
            raise SpecError(
                "shard_index outside its ranks", expected=f"0 … {self.shard_count - 1}", got=self.shard_index
            )
        object.__setattr__(self, "shape", tuple(self.shape))
        sides = self.shape
        if len(sides) != 3 or min(sides) < 1 or sides[2] not in CHANNELS:
            raise SpecError("shape is no image's", expected="(height, width, 1 or 3)", got=repr(self.shape))
