"""Steps together: any thread gives the same bytes, and so does a replay from the lineage."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from airflow_mlplat.data.augment import Augmentation, Draws, replay
from airflow_mlplat.errors import SpecError

GOLDEN = "d01cadf589e55a7e"
SHAPE = (20, 24, 3)
FOUR = [
    {"name": "flip"},
    {"name": "pad_and_crop", "padding": 3},
    {"name": "colour", "brightness": 0.3, "saturation": 0.5},
    {"name": "erase"},
]
WITHOUT_OPENCV = """
import sys
sys.modules["cv2"] = None
import numpy as np
from airflow_mlplat.data.augment import Augmentation
from airflow_mlplat.errors import ConfigError
image = np.zeros((8, 8, 3), np.uint8)
for step in {steps}:
    try:
        Augmentation([step], (8, 8, 3), 0).image(image, 0, 0)
        print(step["name"], "works")
    except ConfigError as error:
        print(error)
"""


def test_golden(picture, digest):
    augmentation = Augmentation([{"name": "resized_crop"}, *FOUR, {"name": "cutmix"}], SHAPE, seed=-3)
    images = np.stack([augmentation.image(picture(90, 70, 3), epoch=2, row=row, turn=row % 2) for row in range(40)])
    mixed = augmentation.batch(images, np.arange(40), np.arange(40), epoch=2)
    assert digest(mixed.images, mixed.partners.astype("<i8"), mixed.shares.astype("<f4")) == GOLDEN


def test_threads_do_not_matter(picture):
    augmentation, image = Augmentation([*FOUR, {"name": "noise", "sigma": [1, 9]}], SHAPE, seed=1), picture(*SHAPE)
    alone = [augmentation.image(image, 0, row).tobytes() for row in range(200)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda row: augmentation.image(image, 0, row).tobytes(), reversed(range(200))))
    assert together[::-1] == alone
    assert len(set(alone)) == 200


@pytest.mark.parametrize("other", [{"epoch": 1}, {"row": 8}, {"turn": 1}])
def test_depends_on(picture, other):
    augmentation, image = Augmentation(FOUR, SHAPE, seed=1), picture(*SHAPE)
    same = {"epoch": 0, "row": 7, "turn": 0}
    assert np.array_equal(augmentation.image(image, **same), augmentation.image(image, **same))
    assert not np.array_equal(augmentation.image(image, **same), augmentation.image(image, **{**same, **other}))
    assert not np.array_equal(augmentation.image(image, **same), Augmentation(FOUR, SHAPE, 2).image(image, **same))


@pytest.mark.parametrize("steps", [FOUR, [{"name": "resized_crop"}, *FOUR]])
def test_replay(picture, steps):
    """The lineage holds plain JSON."""
    augmentation = Augmentation(steps, SHAPE, seed=9)
    image = picture(50, 60, 3) if augmentation.window_first else picture(*SHAPE)
    held = json.loads(json.dumps({"steps": augmentation.spec, "shape": SHAPE, "seed": 9}))
    seen = augmentation.image(image, epoch=4, row=123, turn=2)
    assert np.array_equal(replay(**held, epoch=4, row=123, turn=2, image=image), seen)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image": np.zeros(SHAPE)}, r"replay takes a decoded image; expected uint8 \(H, W, C\); got float64 \("),
        ({"image": b"\xff\xd8"}, r"replay takes a decoded image; expected uint8 \(H, W, C\); got bytes"),
        ({"row": -1}, r"row, epoch and turn count from 0; expected 0 or more; got \(-1, 0, 0\)"),
        (
            {"steps": [{"name": "mixup"}]},
            r"mixup mixes the samples of a batch, .* give all samples of the batch to Aug",
        ),
        ({"image": np.zeros((5, 6, 3), np.uint8)}, r"image has a wrong shape .*; got \(5, 6, 3\)\. decode it with the"),
    ],
)
def test_what_is_not_replayed(changed, message):
    told = {"steps": FOUR, "shape": SHAPE, "seed": 9, "epoch": 0, "row": 0, "image": np.zeros(SHAPE, np.uint8)}
    with pytest.raises(SpecError, match=message):
        replay(**{**told, **changed})


def test_flip_rate(picture):
    augmentation, image = Augmentation([{"name": "flip", "probability": 0.3}], SHAPE, seed=1), picture(*SHAPE)
    flipped = sum(not np.array_equal(augmentation.image(image, 0, row), image) for row in range(2000))
    assert abs(flipped - 600) < 4 * np.sqrt(2000 * 0.21)
    never = Augmentation([{"name": "flip", "probability": 0}], SHAPE, seed=1)
    assert all(np.array_equal(never.image(image, 0, row), image) for row in range(50))


def test_steps_follow_each_other(picture):
    """In the list's order, on one stream of draws."""
    image, draws = picture(*SHAPE), Draws(1, 0, 5)
    assert draws.chance(1.0)
    expected = np.zeros_like(image)
    down, right = (draws.integer(9) - 4 for _ in range(2))
    for y in range(20):
        for x in range(24):
            if 0 <= y + down < 20 and 0 <= x + right < 24:
                expected[y, x] = image[y + down, x + right]
    steps = [{"name": "pad_and_crop", "padding": 4}, {"name": "flip", "probability": 1}]
    assert np.array_equal(Augmentation(steps, SHAPE, seed=1).image(image, 0, 5), expected[:, ::-1])


def test_window_first(picture):
    assert Augmentation([{"name": "resized_crop"}, {"name": "flip"}], SHAPE, 0).window_first
    assert Augmentation([{"name": "crop", "height": 20, "width": 24}], SHAPE, 0).window_first
    assert not Augmentation([{"name": "flip"}], SHAPE, 0).window_first
    assert not Augmentation([], SHAPE, 0).window_first


def test_nothing_to_do(picture):
    image = picture(*SHAPE)
    assert Augmentation([], SHAPE, 0).image(image, 0, 0) is image
    assert Augmentation([{"name": "mixup"}], SHAPE, 0).image(image, 0, 0) is image
    assert Augmentation(FOUR, SHAPE, 0).batch(image[None], np.zeros(1, np.int64), np.zeros(1, np.int64), 0) is None


def test_batch(picture):
    """In place; labels of the partners; every row by its own draws, each turn anew."""
    augmentation = Augmentation([{"name": "mixup", "alpha": 1}], SHAPE, 3)
    images = np.stack([picture(*SHAPE)] * 4)
    labels, rows = np.array([5, -1, 7, 8]), np.array([40, 10, 40, 20])
    mixed = augmentation.batch(images, labels, rows, epoch=1)
    assert mixed.images is images
    assert set(mixed.partners.tolist()) <= set(labels.tolist())
    assert mixed.shares[0] == mixed.shares[2]
    turns = augmentation.batch(images, labels, rows, 1, np.array([0, 0, 1, 0]))
    assert turns.shares[[0, 1, 3]].tolist() == mixed.shares[[0, 1, 3]].tolist()
    assert turns.shares[2] != mixed.shares[2]
    assert augmentation.batch(images, labels, rows, epoch=2).shares[0] != mixed.shares[0]


def test_wrong_shape(picture):
    with pytest.raises(
        SpecError, match=r"image has a wrong shape for its augmentation; expected \(20, 24, 3\); got \(2"
    ):
        Augmentation(FOUR, SHAPE, 0).image(picture(24, 20, 3), 0, 0)
    with pytest.raises(SpecError, match=r"wrong shape for its augmentation; expected \(9, 8, 3\); got \(9, 8, 1\)"):
        Augmentation([{"name": "resized_crop"}], SHAPE, 0).image(picture(9, 8, 1), 0, 0)


def test_wrong_step():
    with pytest.raises(SpecError, match="augment step 1 names no operation"):
        Augmentation([{"name": "flop"}], SHAPE, 0)


def test_without_opencv():
    """What needs it says so when it is made, and the rest works."""
    steps = [
        {"name": "rotate", "degrees": 3},
        {"name": "translate", "share": 0.1, "fill": "reflect"},
        {"name": "mixup"},
        {"name": "crop", "height": 8, "width": 8},
        {"name": "pad_and_crop", "padding": 2},
        {"name": "translate", "share": 0.5},
        {"name": "erase"},
        {"name": "cutmix"},
    ]
    told = subprocess.check_output([sys.executable, "-c", WITHOUT_OPENCV.format(steps=steps)], text=True).splitlines()
    fix = "pip install 'airflow-mlplat[images]'."
    assert told == [
        f"augment 'rotate' needs opencv-python-headless 4.10 or newer. {fix}",
        f"augment 'translate' needs opencv-python-headless 4.10 or newer. {fix}",
        f"augment 'mixup' needs opencv-python-headless 4.10 or newer. {fix}",
        "crop works", "pad_and_crop works", "translate works", "erase works", "cutmix works",
    ]  # fmt: skip
