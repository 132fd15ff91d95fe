"""Predictions: class probabilities per sample, with keys and labels; what evaluate and compare work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import CorruptionError, DataError, SpecError
from airflow_mlplat.store import Store, npy_bytes
from airflow_mlplat.store.index import read_npy

_FILES = ("probabilities", "labels", "keys")


@dataclass(frozen=True)
class Predictions:
    """What one model says of one dataset.

    Args:
        model: Digest of the model version.
        dataset: Digest of the dataset version.
        classes: Names of the K classes.
        probabilities: float32 (N, K).
        labels: int64 (N,), -1 where missing.
        keys: Of dtype S, (N,).
    """

    model: str
    dataset: str
    classes: list[str]
    probabilities: np.ndarray
    labels: np.ndarray
    keys: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.keys)
        if self.probabilities.shape != (n, len(self.classes)) or self.labels.shape != (n,):
            raise CorruptionError(
                "predictions do not fit together",
                expected=f"{n} rows, {len(self.classes)} classes",
                got=(self.probabilities.shape, self.labels.shape),
            )

    def labelled(self) -> Predictions:
        """Those of samples with a label.

        Raises:
            DataError: No sample has one.
        """
        rows = self.labels >= 0
        if not rows.any():
            raise DataError("no sample has a label, so nothing can be measured", got=f"{len(rows)} samples")
        return Predictions(
            self.model, self.dataset, self.classes, self.probabilities[rows], self.labels[rows], self.keys[rows]
        )

    def correct(self) -> np.ndarray:
        """Which samples are classified rightly: bool (N,). The first of equally probable classes counts."""
        return self.probabilities.argmax(axis=1) == self.labels


def put_predictions(store: Store, model: Ref, dataset: Ref, made: Predictions) -> Ref:
    """Commit predictions to the store, under the model's name.

    Args:
        store: Where to; it has the model and the dataset.
        model: What predicted.
        dataset: What was predicted.
        made: The predictions.
    """
    arrays = {"probabilities": made.probabilities, "labels": made.labels, "keys": made.keys}
    return store.put_manifest(
        {
            "format": 1,
            "kind": "predictions",
            "name": model.name,
            "model": model.digest,
            "dataset": dataset.digest,
            "classes": made.classes,
            "samples": len(made.keys),
            "files": {f"{name}.npy": store.put_blob(npy_bytes(arrays[name])) for name in _FILES},
            "parents": [model.to_json(), dataset.to_json()],
        }
    )


def load_predictions(store: Store, ref: Ref) -> Predictions:
    """Predictions from the store.

    Raises:
        SpecError: The reference is to something else.
        NotFoundError: They are not there.
        CorruptionError: They are damaged.
    """
    if ref.kind != "predictions":
        raise SpecError("not predictions", expected="a reference to predictions", got=ref)
    document = store.manifest(ref)
    arrays = {name: read_npy(store.blob(document["files"][f"{name}.npy"]), f"{name}.npy of {ref}") for name in _FILES}
    return Predictions(document["model"], document["dataset"], document["classes"], **arrays)
