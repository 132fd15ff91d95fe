"""Model versions in the store: weights, build file, the framework's own files, and what they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from airflow_mlplat.contract import Ref
from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.arrays import npz_bytes, read_npz
from airflow_mlplat.store import Store

BUILD_FILE, WEIGHTS_FILE = "build.py", "weights.npz"


@dataclass(frozen=True)
class ModelFacts:
    """What a model's manifest says beside its files.

    Args:
        name: The model's.
        framework: What trained it.
        shape: (height, width, channels) of its images.
        classes: Names of the classes, in the order of its outputs.
        training: How it was trained, as plain JSON that follows from the job's spec alone: `options` and more.
    """

    name: str
    framework: str
    shape: tuple[int, int, int]
    classes: list[str]
    training: dict[str, Any]


def put_model(store: Store, facts: ModelFacts, dataset: Ref, files: dict[str, str]) -> Ref:
    """Commit a model to the store.

    Args:
        store: Where to; it has the dataset and the files.
        facts: For the manifest.
        dataset: What it was trained on.
        files: Name → SHA-256: `BUILD_FILE`, `WEIGHTS_FILE` and the framework's own.
    """
    return store.put_manifest(
        {
            "format": 1,
            "kind": "model",
            "name": facts.name,
            "framework": facts.framework,
            "signature": {
                "input": {"shape": list(facts.shape), "dtype": "uint8", "range": [0, 255]},
                "classes": facts.classes,
            },
            "training": facts.training,
            "files": files,
            "parents": [dataset.to_json()],
        }
    )


def load_facts(store: Store, ref: Ref) -> tuple[ModelFacts, dict[str, str]]:
    """What a model's manifest says, and its files' SHA-256 by name.

    Raises:
        SpecError: The reference is to something else.
        NotFoundError: It is not in the store.
    """
    if ref.kind != "model":
        raise SpecError("not a model", expected="a reference to a model", got=ref)
    document = store.manifest(ref)
    signature = document["signature"]
    height, width, channels = signature["input"]["shape"]
    facts = ModelFacts(
        document["name"], document["framework"], (height, width, channels), signature["classes"], document["training"]
    )
    return facts, document["files"]


def put_weights(store: Store, weights: dict[str, np.ndarray]) -> str:
    """Keep weights, by name, in the store; returns their file's SHA-256."""
    return store.put_blob(npz_bytes(weights))


def load_weights(store: Store, ref: Ref, files: dict[str, str]) -> dict[str, np.ndarray]:
    """The weights of a model, by name."""
    return read_npz(store.blob(files[WEIGHTS_FILE]), f"{WEIGHTS_FILE} of {ref}")
