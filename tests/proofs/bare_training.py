"""The training of the DAG `overhead` as one writes it without a platform: all images in memory, Gluon's own loop.

Usage: bare_training.py FOLDER MODEL_FILE EPOCHS    FOLDER has images.npy and labels.npy
"""

import importlib.util
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon


def main(folder: Path, model: Path, epochs: int) -> None:
    """Train, and print the last epoch's loss."""
    spec = importlib.util.spec_from_file_location("model", model)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    images = np.load(folder / "images.npy").astype(np.float32)[:, None] / 255
    labels = np.load(folder / "labels.npy").astype(np.float32)
    net = module.build({"framework": "mxnet", "shape": (28, 28, 1), "classes": 10})
    net.initialize(mx.init.Xavier())
    net.hybridize()
    trainer = gluon.Trainer(net.collect_params(), "adam", {"learning_rate": 0.001})
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss()
    for _ in range(epochs):
        order, total = np.random.permutation(len(images)), 0.0
        for start in range(0, len(images) - 63, 64):
            rows = order[start : start + 64]
            x, y = mx.nd.array(images[rows]), mx.nd.array(labels[rows])
            with autograd.record():
                loss = loss_of(net(x), y)
            loss.backward()
            trainer.step(64)
            total += float(loss.mean().asscalar())
        print("loss", total / (len(images) // 64), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
