"""Steps of ResNet-50 on a GPU, fed by the iterator and from a batch that lies there already. Run by PyTorch's Python.

Prints one JSON object a line: `{"fed": [steps/s of each round], "resident": […], "gpu": name}`.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice

import torch
from torch import nn

from airflow_mlplat.contract import Ref
from airflow_mlplat.data import BatchIterator, IteratorOptions
from airflow_mlplat.data.adapters.torch import channels_last, dataset, pinned
from airflow_mlplat.store import Samples, open_store

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
CLASSES, BATCH, STEPS, ROUNDS = 1000, 64, 60, 5


class Bottleneck(nn.Module):
    """He et al. 2016, table 1, with the stride in the 3x3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.body = nn.Sequential(
            *_conv(inputs, width, 1, 1), nn.ReLU(True), *_conv(width, width, 3, stride), nn.ReLU(True),
            *_conv(width, outputs, 1, 1),
        )  # fmt: skip
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else nn.Sequential(*_conv(inputs, outputs, 1, stride))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


def _conv(inputs: int, outputs: int, size: int, stride: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False), nn.BatchNorm2d(outputs)


def resnet50() -> nn.Module:
    """ResNet-50 for 224x224 colours."""
    layers: list[nn.Module] = [*_conv(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for number, (width, blocks) in enumerate(STAGES):
        for block in range(blocks):
            layers.append(Bottleneck(inputs, width, 2 if number and not block else 1))
            inputs = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, CLASSES))


class Training:
    """Steps of one model on one device."""

    def __init__(self, device: str) -> None:
        self.model = resnet50().to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.1, 0.9)
        self.device = device

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            inputs = channels_last(images).to(torch.bfloat16).div_(255)
            loss = nn.functional.cross_entropy(self.model(inputs), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()

    def rate(self, batches, steps: int) -> float:
        """Steps a second over batches, after one that does not count."""
        batches = iter(batches)
        self.step(*next(batches))
        _wait(self.device)
        started = time.perf_counter()
        for images, labels in islice(batches, steps):
            self.step(images, labels)
        _wait(self.device)
        return steps / (time.perf_counter() - started)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def _forever(iterator: BatchIterator, device: str | None):
    batches = dataset(iterator, device)
    while True:
        yield from batches


def main(store: str, ref: str, device: str, steps: int) -> None:
    """Measure, in interleaved rounds."""
    cuda = device if device.startswith("cuda") else None
    samples = Samples(open_store(store), Ref.from_json(json.loads(ref)))
    how = {"shape": (224, 224, 3), "threads": 4, "prefetch": 8, "keep_bytes": 0}  # decoding in every epoch
    options = IteratorOptions(batch_size=BATCH, drop_remainder=True, **how)
    memory = {"allocate": pinned} if cuda else {}
    training, found = Training(device), {"fed": [], "resident": []}
    with BatchIterator(samples, options, epochs=None, **memory) as iterator:
        fed = _forever(iterator, cuda)
        images, labels = next(fed)
        resident = (images.clone(), labels.clone())
        for _ in range(ROUNDS):
            found["resident"].append(training.rate(iter(lambda: resident, None), steps))
            found["fed"].append(training.rate(fed, steps))
    print(json.dumps({**found, "gpu": torch.cuda.get_device_name() if cuda else "none"}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else STEPS)
