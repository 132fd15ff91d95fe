"""Every operation, whatever its parameters and the image, gives an image; and always the same bytes, everywhere."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.augment import BATCH_OPERATIONS, OPERATIONS, Augmentation

GOLDEN = {
    "flip": "212e6fc07ba0122d",
    "flip vertical": "7ab0197ab363b5dd",
    "crop": "421e56f0716b66c5",
    "resized_crop": "36f663af4efcdb26",
    "resized_crop small": "cbdc22e827d4fd7f",
    "pad_and_crop": "1b18790e52ab1b32",
    "pad_and_crop reflect": "4a09669ab2951c7c",
    "rotate": "f49a4652667245c9",
    "rotate reflect": "8b37ddf6d633f861",
    "translate": "3bf55a0e89bb1607",
    "translate reflect": "63c23dbadd730e1d",
    "colour": "72883144469af7de",
    "blur": "84916aa164fcbaa2",
    "noise": "db96e9e1b772adc5",
    "erase": "88fd48d320c3be05",
    "erase zero": "2a7e60f242cde13c",
    "mixup": "deef34c3899a9377",
    "cutmix": "1d875f8e7e61316c",
}
STEPS = {
    "flip": {},
    "flip vertical": {"axis": "vertical"},
    "crop": {},
    "resized_crop": {},
    "resized_crop small": {"area": [0.02, 0.2]},
    "pad_and_crop": {"padding": 9},
    "pad_and_crop reflect": {"padding": 9, "fill": "reflect"},
    "rotate": {"degrees": 30},
    "rotate reflect": {"degrees": 180, "fill": "reflect"},
    "translate": {"share": 0.2},
    "translate reflect": {"share": 1.0, "fill": "reflect"},
    "colour": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.6, "hue": 40},
    "blur": {"sigma": [0.1, 5.0]},
    "noise": {"sigma": [1, 30]},
    "erase": {},
    "erase zero": {"fill": "zero"},
    "mixup": {},
    "cutmix": {},
}
SHAPES = [(61, 83, 3), (61, 83, 1), (224, 224, 3), (5, 3, 3), (1, 1, 1)]


def step(name, shape):
    size = {"height": shape[0], "width": shape[1]} if name == "crop" else {}
    return {"name": name.split(" ")[0], **STEPS[name], **size}


def results(name, picture):
    """What an operation makes of images of all kinds."""
    found = []
    for shape in SHAPES:
        augmentation = Augmentation([step(name, shape)], shape, seed=11)
        if step(name, shape)["name"] in BATCH_OPERATIONS:
            images = np.stack([np.roll(picture(*shape), i) for i in range(6)])
            mixed = augmentation.batch(images, np.arange(6), np.arange(100, 106), epoch=3)
            found += [mixed.images, mixed.partners.astype("<i8"), mixed.shares.astype("<f4")]
            continue
        taken = (shape[0] * 2 + 7, shape[1] * 3 - 1, shape[2]) if augmentation.window_first else shape
        found += [augmentation.image(picture(*taken), epoch=3, row=row) for row in range(12)]
    return found


def test_all_are_here():
    assert {name.split(" ")[0] for name in STEPS} == {*OPERATIONS, *BATCH_OPERATIONS}


@pytest.mark.parametrize("name", STEPS)
def test_golden(name, picture, digest):
    assert digest(*results(name, picture)) == GOLDEN[name]


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param({"OPENCV_CPU_DISABLE": "AVX512-SKX"}, id="no AVX-512"),
        pytest.param({"OPENCV_CPU_DISABLE": "AVX512-SKX,AVX2,AVX,FP16,SSE4.2,SSE4.1"}, id="no vectors but SSE3"),
        pytest.param({"OPENCV_IPP": "disabled"}, id="no IPP"),
    ],
)
def test_golden_on_another_machine(machine, root):
    """The vector instructions that OpenCV finds do not show."""
    found = subprocess.check_output(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(root / "tests/data/augment/test_operations.py"),
         "-k", "test_golden and not machine"],
        cwd=root, env={**os.environ, **machine}, text=True, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert f"{len(STEPS)} passed" in found


@given(data=st.data(), row=st.integers(0, 2**40), epoch=st.integers(0, 1000))
def test_gives_an_image(images, steps, data, row, epoch):
    image, one = data.draw(images), data.draw(steps)
    before = image.copy()
    results = [Augmentation([one], image.shape, seed=5).image(image, epoch, row) for _ in range(2)]
    assert results[0].shape == image.shape
    assert results[0].dtype == np.uint8
    assert np.array_equal(*results)
    assert np.array_equal(image, before)


@given(
    data=st.data(), height=st.integers(1, 50), width=st.integers(1, 50), name=st.sampled_from(["crop", "resized_crop"])
)
def test_gives_the_shape_from_any_image(images, data, height, width, name):
    image = data.draw(images)
    before, shape = image.copy(), (height, width, image.shape[2])
    size = {"height": height, "width": width} if name == "crop" else {}
    result = Augmentation([{"name": name, **size}], shape, seed=5).image(image, 0, data.draw(st.integers(0, 99)))
    assert (result.shape, result.dtype) == (shape, np.uint8)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", OPERATIONS)
def test_takes_views(name, picture):
    """A part of a larger image, a mirrored one, and one that must not be written to."""
    large = picture(40, 50, 3)
    for view in (large[5:25, 9:39], large[24:4:-1, 38:8:-1], np.broadcast_to(large[0, :30], (20, 30, 3))):
        view.flags.writeable = False
        augmentation = Augmentation([step(name, view.shape)], view.shape, seed=2)
        assert np.array_equal(augmentation.image(view, 0, 1), augmentation.image(view.copy(), 0, 1))


def test_all_are_documented(root):
    """OPERATIONS.md has every operation with every parameter as it is."""
    text = (root / "airflow_mlplat/data/augment/OPERATIONS.md").read_text().replace("\\|", "|")
    told = {line.split("`")[1]: line.rsplit("| `", 1)[1] for line in text.splitlines() if line.startswith("| `")}
    for name, operation in {**OPERATIONS, **BATCH_OPERATIONS}.items():
        parts = []
        for key, parameter in operation.parameters.items():
            default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            parts.append(f"`{key}` {parameter.expected}" + (f" ({default})" if default is not None else ""))
        assert told.pop(name) == "; ".join(parts)[1:] + " |"
    assert not told
