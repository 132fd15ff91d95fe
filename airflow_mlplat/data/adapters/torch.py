"""Batches for PyTorch: an `IterableDataset` whose elements are whole batches, on the CPU or copied ahead to a GPU."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from airflow_mlplat.data.adapters.ahead import Ahead
from airflow_mlplat.data.adapters.numpy import arrays
from airflow_mlplat.data.iterator import BatchIterator
from airflow_mlplat.errors import ConfigError, SpecError


def dataset(iterator: BatchIterator, device: str | None = None) -> Any:
    """A `torch.utils.data.IterableDataset` of the iterator's batches.

    Each pass over it is the rest of one epoch. Iterate over it as it is, or where a loader is asked for over
    `DataLoader(dataset(iterator), batch_size=None, num_workers=0)`: the iterator decodes in threads of its own.

    On the CPU the tensors are the iterator's own memory, without a copy. To a GPU they are copied on a stream of their
    own, one batch ahead, while the step before computes; for that the iterator needs `allocate=pinned`, since other
    memory is copied twice, and Python waits for it. The state is then that of the dataset: the iterator's counts the
    batch ahead too.

    Args:
        iterator: Where the batches come from.
        device: `cuda` or `cuda:1`; None leaves them in the CPU's memory.

    Returns:
        Elements (uint8 (n, height, width, channels), int64 (n,)); `channels_last` gives the view that layers want.

    Raises:
        ConfigError: PyTorch finds no such GPU.
        SpecError: Of a pass: it runs in a loader's worker process.
    """
    import torch

    source = _OnCpu(torch, iterator) if device is None else Ahead(iterator, _ToGpu(torch, device))

    class Batches(torch.utils.data.IterableDataset):
        def __iter__(self) -> Iterator[tuple[Any, Any]]:
            worker = torch.utils.data.get_worker_info()
            if worker is not None:
                raise SpecError(
                    "the iterator cannot run in a loader's worker", expected="num_workers=0", got=worker.num_workers,
                    fix="give the threads to IteratorOptions instead",
                )  # fmt: skip
            return iter(source)

        def get_state(self) -> dict[str, Any]:
            """Where the batches that were given end; for the iterator's `set_state`."""
            return source.get_state()

    return Batches()


def channels_last(images: Any) -> Any:
    """The view (n, channels, height, width) of a tensor (n, height, width, channels): `memory_format` channels_last."""
    return images.permute(0, 3, 1, 2)


def pinned(size: int) -> np.ndarray:
    """uint8 (size,) that a GPU can read by itself: for the iterator's `allocate`.

    Raises:
        ConfigError: PyTorch finds no GPU.
    """
    import torch

    _gpu(torch, "cuda")
    return torch.empty(size, dtype=torch.uint8, pin_memory=True).numpy()


class _OnCpu:
    def __init__(self, torch: Any, iterator: BatchIterator) -> None:
        self._tensor, self._iterator = torch.from_numpy, iterator
        self.get_state = iterator.get_state

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for images, labels in arrays(self._iterator):
            yield self._tensor(images), self._tensor(labels)  # which keep the arrays, and so their memory


class _ToGpu:
    """Begins the copy of a batch to a GPU, and keeps the batch until it has arrived."""

    def __init__(self, torch: Any, device: str) -> None:
        self._torch = torch
        self._stream = torch.cuda.Stream(_gpu(torch, device))
        self._under_way: deque[tuple[Any, Any]] = deque()

    def __call__(self, images: np.ndarray, labels: np.ndarray) -> Callable[[], tuple[Any, Any]]:
        cuda, device, tensor = self._torch.cuda, self._stream.device, self._torch.from_numpy
        with cuda.stream(self._stream):
            # Labels first: they are not in pinned memory, and Python would wait until the images before them are there.
            copied_labels = tensor(labels).to(device, non_blocking=True)
            copies = (tensor(images).to(device, non_blocking=True), copied_labels)
            arrived = self._stream.record_event()
        self._under_way.append((arrived, (images, labels)))  # else their memory might be filled with another batch
        while self._under_way and self._under_way[0][0].query():
            self._under_way.popleft()

        def end() -> tuple[Any, Any]:
            current = cuda.current_stream(device)
            current.wait_event(arrived)
            for tensor in copies:
                tensor.record_stream(current)  # allocated for another stream: not to be given away while this uses it
            return copies

        return end


def _gpu(torch: Any, name: str) -> Any:
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    device = torch.device(name)
    if device.type != "cuda" or (device.index or 0) >= found:
        raise ConfigError(
            f"PyTorch {torch.__version__} cannot copy batches to device {name!r}",
            expected="cuda, or cuda:0, cuda:1, … of the GPUs that it finds", got=f"{found} GPUs",
            fix="leave it out: batches then stay in the CPU's memory",
        )  # fmt: skip
    return device
