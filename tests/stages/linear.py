"""A whole trainer in numpy: softmax regression with momentum and input noise, for tests of the loop and the stages."""

from __future__ import annotations

import threading

import numpy as np

from airflow_mlplat.stages import Measured, probe_images
from airflow_mlplat.stages.workers import ONE_WORKER, Alone


class Meeting:
    """Where workers that are threads of one process meet; `trainer` makes the class of their trainers.

    Args:
        count: How many they are.
        base: The trainer of one alone.
    """

    def __init__(self, count, base):
        self.barrier, self.values = threading.Barrier(count, timeout=30), [None] * count
        self.base = base

    def trainer(self, *given):
        made = self.base(*given)
        made.group = Member(self, given[-1])
        return made


class Member:
    """A `Group` of threads."""

    def __init__(self, meeting, workers):
        self.meeting, self.workers = meeting, workers

    def total(self, values):
        self.meeting.values[self.workers.rank] = values
        self.meeting.barrier.wait()
        found = np.sum(self.meeting.values, axis=0)
        self.meeting.barrier.wait()
        return found

    def leave(self):
        self.meeting.barrier.wait()


class LinearTrainer:
    """Its build file's `build(params)` returns `{"outputs": n}`, the "model"."""

    group = Alone()
    NOISE = 10

    def __init__(self, build_file, options, classes, workers=ONE_WORKER):
        self.options, self.versions = options, {"numpy": np.__version__}
        self.model = build_file.build(options.build_params(classes, "linear"))
        build_file.check_model(self.model, dict, "a dict")
        inputs = int(np.prod(options.shape)) + 1
        self.w = np.zeros((inputs, self.model["outputs"]))
        self.slot = np.zeros_like(self.w)
        build_file.check_outputs(self.outputs(probe_images(options.shape)), classes)
        self.sums = np.zeros(2)
        self.count, self.rates = 0, []
        self.random = np.random.RandomState(options.seed)

    def outputs(self, images):
        flat = images.reshape(len(images), -1) / 255.0
        z = np.hstack([flat, np.ones((len(flat), 1))]) @ self.w
        e = np.exp(z - z.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def step(self, images, targets, learning_rate):
        labels = targets if targets.ndim == 1 else targets.argmax(axis=1)
        noisy = np.clip(images + self.random.normal(0, self.NOISE, images.shape), 0, 255)
        p = self.outputs(noisy)
        rows = np.arange(len(labels))
        self.sums += [-np.log(p[rows, labels]).sum(), (p.argmax(axis=1) == labels).sum()]
        p[rows, labels] -= 1
        flat = np.hstack([noisy.reshape(len(noisy), -1) / 255.0, np.ones((len(noisy), 1))])
        gradient = self.group.total((flat.T @ p / len(labels)).ravel()).reshape(self.w.shape) / self.group.workers.count
        self.slot = self.options.momentum * self.slot - learning_rate * gradient
        self.w = self.w + self.slot
        self.count += 1
        self.rates.append(learning_rate)

    def measure(self, step):
        found = Measured(*self.sums.tolist())
        self.sums = np.zeros(2)
        self.random = np.random.RandomState([self.options.seed, step])
        return found

    def average(self):
        pass

    def predict(self, images):
        return self.outputs(images).astype(np.float32)

    def state(self):
        return {"w": self.w.copy(), "slot": self.slot.copy(), "count": np.array(self.count)}

    def load(self, state):
        self.w, self.slot, self.count = state["w"], state["slot"], int(state["count"])

    def weights(self):
        return {"w": self.w.copy()}

    def load_weights(self, weights):
        self.w = weights["w"]

    def native(self, directory):
        path = directory / "linear.txt"
        path.write_text(repr(self.w.sum()))
        return [path]
