"""Checkpoints of a training: one file each, whole or ignored; the newest whole one is where a retry goes on."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.errors import CorruptionError
from airflow_mlplat.stages.arrays import npz_bytes, read_npz

KEPT = 2
"""The newest, and the one before in case that the newest does not read."""
_PROGRESS = "progress"


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a training.

    Args:
        step: Steps done.
        progress: Plain JSON: position of the iterator, metrics so far.
        arrays: Whatever the trainer needs to go on.
    """

    step: int
    progress: dict[str, Any]
    arrays: dict[str, np.ndarray]


class Checkpoints:
    """The checkpoints of one job.

    Args:
        directory: Theirs; made by the first write.
        job_key: A checkpoint of another job is ignored.
        log: Told of every file that is ignored.
    """

    def __init__(self, directory: Path, job_key: str, log: Logger) -> None:
        self._directory, self._job_key, self._log = directory, job_key, log

    def write(self, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint: durable when this returns. Removes older ones."""
        progress = {"job_key": self._job_key, "step": checkpoint.step, "progress": checkpoint.progress}
        text = np.frombuffer(json.dumps(progress).encode(), np.uint8)
        content = npz_bytes({_PROGRESS: text, **{f"array/{k}": v for k, v in checkpoint.arrays.items()}})
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"step-{checkpoint.step:012d}.npz"
        for killed in self._directory.glob("step-*.part"):
            killed.unlink()
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync(self._directory)
        for old in self._files()[KEPT:]:
            old.unlink()

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; None if there is none."""
        for path in self._files():
            try:
                return self._read(path)
            except (CorruptionError, OSError) as error:
                self._log.warning("Ignored checkpoint %s: %s", path.name, error)
        return None

    def _files(self) -> list[Path]:
        """Newest first."""
        if not self._directory.is_dir():
            return []
        names = (path for path in self._directory.iterdir() if re.fullmatch(r"step-\d{12}\.npz", path.name))
        return sorted(names, reverse=True)

    def _read(self, path: Path) -> Checkpoint:
        arrays = read_npz(path.read_bytes(), path.name)  # zip checks the CRC-32 of every array
        try:
            document = json.loads(arrays.pop(_PROGRESS).tobytes())
            owner, step, progress = document["job_key"], document["step"], document["progress"]
        except (KeyError, ValueError) as error:
            raise CorruptionError(f"{path.name} is no checkpoint", got=error) from error
        if owner != self._job_key:
            raise CorruptionError(f"{path.name} is another job's", expected=self._job_key[:12], got=owner[:12])
        return Checkpoint(step, progress, {name[len("array/") :]: array for name, array in arrays.items()})


def _sync(directory: Path) -> None:
    """So that the new name survives a power cut (fsync(2))."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
