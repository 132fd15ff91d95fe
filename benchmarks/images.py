"""One generated set of JPEGs: crops of real photos with smooth noise and shapes, the same for a seed on any machine.

`python -m benchmarks.images FOLDER COUNT` makes one.

Like photos that were made smaller for training: the short side has 256 pixels, the long one 256 to 342, the quality is
72 to 89, the mean some 16 KB. The photos come with scikit-image and scikit-learn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

CLASSES = 1000
SHORT, LONG = 256, 342
"""Pixels of the short side, and at most of the long one: 4:3."""
QUALITY = (72, 90)
SKIMAGE = (
    *("astronaut.png", "brick.png", "camera.png", "cell.png", "chelsea.png", "clock_motion.png", "coffee.png"),
    *("coins.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png", "motorcycle_left.png"),
    *("retina.jpg", "rocket.jpg"),
)
INDEX_DTYPE = np.dtype([("offset", "<u8"), ("size", "<u8"), ("label", "<i8")])


class Images:
    """A set that `generate` made: media and labels by number, 0 … n-1.

    Args:
        folder: Where it lies.
    """

    def __init__(self, folder: Path) -> None:
        self._index = np.load(folder / "index.npy")
        self._media = np.fromfile(folder / "media.bin", np.uint8)
        self.labels: np.ndarray = self._index["label"]

    def __len__(self) -> int:
        return len(self._index)

    def media(self, number: int) -> bytes:
        """The JPEG file of one image."""
        offset, size, _ = self._index[number].tolist()
        return self._media[offset : offset + size].tobytes()


def generate(folder: Path, count: int, seed: int = 0) -> Images:
    """The set of `count` images in a folder, made when it is not there.

    Args:
        folder: Its place; written at once, by a rename.
        count: Images.
        seed: Other seeds are other images.
    """
    if not (folder / "index.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        photos = _photos()
        media = [_image(photos, seed, number) for number in range(count)]
        index = np.zeros(count, INDEX_DTYPE)
        index["size"] = [len(file) for file in media]
        index["offset"] = np.cumsum(index["size"]) - index["size"]
        index["label"] = np.random.default_rng([seed, CLASSES]).integers(0, CLASSES, count)
        (folder / "media.bin").write_bytes(b"".join(media))
        np.save(folder / "part.npy", index)
        (folder / "part.npy").replace(folder / "index.npy")  # the last: what has it is whole
    return Images(folder)


def _photos() -> list[np.ndarray]:
    """uint8 (H, W, 3) each."""
    import cv2
    import skimage
    import sklearn.datasets

    files = [Path(skimage.__file__).parent / "data" / name for name in SKIMAGE]
    files += sorted((Path(sklearn.datasets.__file__).parent / "images").glob("*.jpg"))
    return [cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB) for file in files]


def _image(photos: list[np.ndarray], seed: int, number: int) -> bytes:
    import simplejpeg

    draws = np.random.default_rng([seed, number])
    photo = photos[draws.integers(len(photos))]
    sides = (SHORT, int(draws.integers(SHORT, LONG + 1)))
    height, width = sides if draws.integers(2) else sides[::-1]
    image = _shapes(_crop(photo, height, width, draws), draws).astype(np.int16) + _noise(height, width, draws)
    image = np.clip(image, 0, 255).astype(np.uint8)
    return simplejpeg.encode_jpeg(image, quality=int(draws.integers(*QUALITY)), colorsubsampling="420")


def _crop(photo: np.ndarray, height: int, width: int, draws: np.random.Generator) -> np.ndarray:
    """A random part of the photo, 1 to 1.6 times as large as the image where the photo is, made smaller."""
    import cv2

    scale = min(draws.uniform(1.0, 1.6), photo.shape[0] / height, photo.shape[1] / width)
    rows, columns = int(height * scale), int(width * scale)
    top = draws.integers(photo.shape[0] - rows + 1)
    left = draws.integers(photo.shape[1] - columns + 1)
    return cv2.resize(photo[top : top + rows, left : left + columns], (width, height), interpolation=cv2.INTER_AREA)


def _noise(height: int, width: int, draws: np.random.Generator) -> np.ndarray:
    """int16 (height, width, 3): clouds, so that no two images have equal blocks."""
    import cv2

    coarse = draws.normal(0, 12, (8, 8, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.int16)


def _shapes(image: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    import cv2

    for _ in range(draws.integers(1, 4)):
        centre = tuple(int(draws.integers(side)) for side in image.shape[1::-1])
        axes = tuple(int(side) for side in draws.integers(5, 40, 2))
        colour = tuple(int(value) for value in draws.integers(0, 256, 3))
        cv2.ellipse(image, centre, axes, float(draws.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
    return image


if __name__ == "__main__":
    generate(Path(sys.argv[1]), int(sys.argv[2]))
