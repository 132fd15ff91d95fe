"""Put the demo's sources in place: image files, and a SQLite database with one row per image.

The images are Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): from Debian's package, else from Keras' download,
else scikit-learn's digits stand in for them.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
CLASSES = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
DAYS = tuple(f"2026-01-{day:02}" for day in range(1, 6))

Images = dict[str, tuple[np.ndarray, np.ndarray]]
"""Split → (uint8 (N, H, W), integer labels (N,)), for the splits `train` and `test`."""


def debian() -> Images:
    """Of the package `dataset-fashion-mnist`, installed now where apt may."""
    if not DEBIAN.exists():
        as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "dataset-fashion-mnist"]
        if shutil.which("apt-get") is None or (as_root and shutil.which("sudo") is None):
            raise OSError("apt-get cannot be used here")
        if subprocess.run([*as_root, *install], capture_output=True, check=False).returncode:
            subprocess.run([*as_root, "apt-get", "update", "-qq"], capture_output=True, check=False)
            subprocess.run([*as_root, *install], capture_output=True, check=True)

    def idx(name: str, header: int) -> np.ndarray:
        return np.frombuffer(gzip.decompress((DEBIAN / name).read_bytes()), np.uint8, offset=header)

    return {
        split: (
            idx(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28),
            idx(f"{prefix}-labels-idx1-ubyte.gz", 8),
        )
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }


def keras() -> Images:
    """By Keras' own download, in TensorFlow's environment."""
    script = (
        "import sys, numpy, keras; (a, b), (c, d) = keras.datasets.fashion_mnist.load_data();"
        "numpy.savez(sys.argv[1], a=a, b=b, c=c, d=d)"
    )
    file = ROOT / "build" / "fashion.npz"
    file.parent.mkdir(exist_ok=True)
    subprocess.run([ROOT / ".venvs/tensorflow/bin/python", "-c", script, file], capture_output=True, check=True)
    with np.load(file) as arrays:
        images: Images = {"train": (arrays["a"], arrays["b"]), "test": (arrays["c"], arrays["d"])}
    file.unlink()
    return images


def digits() -> Images:
    """scikit-learn's 1,797 digits, kept among the tests: the last resort, without any network."""
    with np.load(ROOT / "tests/data/digits.npz") as arrays:
        images, labels = arrays["images"], arrays["labels"]
    return {"train": (images[:1500], labels[:1500]), "test": (images[1500:], labels[1500:])}


ORIGINS: dict[str, Callable[[], Images]] = {
    "Fashion-MNIST, Debian's dataset-fashion-mnist": debian,
    "Fashion-MNIST, downloaded by Keras": keras,
    "scikit-learn's digits, standing in for Fashion-MNIST": digits,
}


def load() -> tuple[str, Images]:
    """The first origin that works, and its name."""
    reasons = []
    for name, origin in ORIGINS.items():
        try:
            return name, origin()
        except (OSError, subprocess.CalledProcessError) as error:
            reasons.append(f"{name}: {error}")
    raise SystemExit("no images could be had:\n" + "\n".join(reasons))


def seed(folder: Path, per_day: int | None = None, tests: int | None = None) -> dict[str, object]:
    """Write the image files and the database, once.

    Args:
        folder: Gets `fashion.db`, `train/`, `test/`, and `seeded.json` as the last thing.
        per_day: Only so many training images a day.
        tests: Only so many test images.

    Returns:
        `{"origin", "train", "test"}`: where the images came from and how many there are.
    """
    done = folder / "seeded.json"
    if done.exists():
        return json.loads(done.read_text())
    shutil.rmtree(folder, ignore_errors=True)
    origin, images = load()
    folder.mkdir(parents=True)
    database = sqlite3.connect(folder / "fashion.db")
    database.execute("CREATE TABLE days (day TEXT PRIMARY KEY, done INTEGER NOT NULL)")
    database.executemany("INSERT INTO days VALUES (?, 1)", [(day,) for day in DAYS])
    days = {"train": DAYS, "test": DAYS[:1]}
    limits = {"train": per_day, "test": tests}
    for split, (pixels, labels) in images.items():
        rows = rows_of(split, labels, days[split], limits[split])
        write_images(folder, pixels, rows)
        database.execute(f"CREATE TABLE {split}_photos (id INTEGER PRIMARY KEY, taken_on TEXT, path TEXT, label TEXT)")
        database.executemany(f"INSERT INTO {split}_photos VALUES (?, ?, ?, ?)", rows)
        database.execute(f"CREATE INDEX {split}_day ON {split}_photos (taken_on)")
    database.commit()
    counts = {split: database.execute(f"SELECT count(*) FROM {split}_photos").fetchone()[0] for split in images}
    database.close()
    result = {"origin": origin, **counts}
    done.write_text(json.dumps(result))
    return result


def rows_of(
    split: str, labels: np.ndarray, days: tuple[str, ...], limit: int | None
) -> list[tuple[int, str, str, str]]:
    """(id, day, path, class name) of the images, an equal share to each day."""
    share = len(labels) // len(days)
    return [
        (
            day_number * share + n,
            day,
            f"{split}/{day_number * share + n:05}.png",
            CLASSES[labels[day_number * share + n]],
        )
        for day_number, day in enumerate(days)
        for n in range(min(share, limit or share))
    ]


def write_images(folder: Path, pixels: np.ndarray, rows: list[tuple[int, str, str, str]]) -> None:
    """One PNG file per row."""
    (folder / rows[0][2]).parent.mkdir(parents=True, exist_ok=True)

    def write(row: tuple[int, str, str, str]) -> None:
        Image.fromarray(pixels[row[0]]).save(folder / row[2], "PNG", compress_level=1)

    with ThreadPoolExecutor(4) as pool:
        for _ in pool.map(write, rows, chunksize=256):
            pass


if __name__ == "__main__":
    print(json.dumps(seed(Path(sys.argv[1]))))
