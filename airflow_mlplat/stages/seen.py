"""One number for all that a worker was given: equal in every framework, with and without a kill."""

from __future__ import annotations

import numpy as np

from airflow_mlplat.data import Batch
from airflow_mlplat.store.checksum import extension


class Seen:
    """CRC-32C over the pixels and labels of all batches so far, in their order.

    Args:
        value: To go on from: `value` of the run before.
    """

    def __init__(self, value: int | None = 0) -> None:
        self._extend = extension()
        self.value = value if self._extend is not None else None
        """An int of 32 bits; None where the checksum would take longer than the training."""

    def add(self, batch: Batch) -> None:
        """Count a batch in."""
        if self._extend is None or self.value is None:
            return
        for array in (batch.images, batch.labels.astype("<i8", copy=False)):
            content = np.ascontiguousarray(array).view()
            content.flags.writeable = False  # the checksum takes no other memory
            self.value = self._extend(self.value, content)

    def stats(self, of_all: list[int]) -> dict[str, str]:
        """As `JobResult.stats` has it: `{"batches": "9f3a1c00"}`, or nothing.

        Args:
            of_all: The values of all workers, in their order.
        """
        return {} if self.value is None else {"batches": ",".join(f"{value:08x}" for value in of_all)}
