"""The list is checked at once, and has one canonical form."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_mlplat.data.augment import check_augment
from airflow_mlplat.data.augment.operations import BATCH_OPERATIONS, OPERATIONS
from airflow_mlplat.data.augment.spec import operation_of
from airflow_mlplat.errors import SpecError

SHAPE = (28, 30, 3)
ALL = "flip | crop | resized_crop | pad_and_crop | rotate | translate | colour | blur | noise | erase | mixup | cutmix"


def test_defaults_are_filled_in():
    assert check_augment([{"name": "flip"}, {"padding": 4, "name": "pad_and_crop", "probability": 1}], SHAPE) == [
        {"name": "flip", "probability": 0.5, "axis": "horizontal"},
        {"name": "pad_and_crop", "probability": 1.0, "padding": 4, "fill": "zero"},
    ]
    assert check_augment([{"name": "resized_crop", "area": (0.5, 1)}, {"name": "mixup"}], SHAPE) == [
        {"name": "resized_crop", "area": [0.5, 1.0], "aspect": [0.75, 4 / 3]},
        {"name": "mixup", "probability": 1.0, "alpha": 0.2},
    ]
    assert check_augment([], SHAPE) == check_augment((), SHAPE) == []


@given(st.data())
def test_canonical_form_is_its_own(steps, data):
    one = data.draw(steps)
    canonical = check_augment([one], SHAPE)
    assert check_augment(json.loads(json.dumps(canonical)), SHAPE) == canonical
    assert json.dumps(check_augment([dict(reversed(one.items()))], SHAPE)) == json.dumps(canonical)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("flip", "augment must be a list of steps; expected [{\"name\": …}, …]; got 'flip'."),
        ([{"name": "flip"}, "blur"], "augment step 2 is no mapping; expected {\"name\": …}; got 'blur'."),
        ([{}], f"augment step 1 names no operation; expected {ALL}; got None."),
        ([{"name": "flop"}], f"augment step 1 names no operation; expected {ALL}; got 'flop'. Did you mean 'flip'?"),
        (
            [{"name": ["flip"]}],
            f"augment step 1 names no operation; expected {ALL}; got ['flip']. Did you mean 'flip'?",
        ),
        (
            [{"name": "flip", "prob": 0.5, "p": 1}],
            "augment step 1 (flip) has no such parameter; expected probability | axis; got 'prob' | 'p'. "
            "Did you mean 'probability'?",
        ),
        (
            [{"name": "resized_crop", "probability": 0.5}],
            "augment step 1 (resized_crop) has no such parameter; expected area | aspect; got 'probability'.",
        ),
        ([{"name": "rotate"}], "augment step 1 (rotate): wrong degrees; expected a number 0 … 180; got nothing."),
        (
            [{"name": "flip"}, {"name": "rotate", "degrees": "15"}],
            "augment step 2 (rotate): wrong degrees; expected a number 0 … 180; got '15'.",
        ),
        (
            [{"name": "flip", "probability": 1.5}],
            "augment step 1 (flip): wrong probability; expected a number 0 … 1; got 1.5.",
        ),
        (
            [{"name": "pad_and_crop", "padding": 4.0}],
            "augment step 1 (pad_and_crop): wrong padding; expected a whole number 0 … 1024; got 4.0.",
        ),
        (
            [{"name": "erase", "area": [0.5, 0.1]}],
            "augment step 1 (erase): wrong area; expected [from, to], 0.0001 … 1; got [0.5, 0.1].",
        ),
        (
            [{"name": "translate", "share": 0.1, "fill": "wrap"}],
            "augment step 1 (translate): wrong fill; expected zero | reflect; got 'wrap'.",
        ),
        (
            [{"name": "flip"}, {"name": "resized_crop"}],
            "augment step 2 (resized_crop) takes the whole image; expected it as step 1; got step 2. "
            "put it first: images are brought to the shape before all other steps.",
        ),
        (
            [{"name": "mixup"}, {"name": "flip"}],
            "augment step 1 (mixup) works on whole batches; expected it as the last step, and only one such; "
            "got step 2 (flip) after it.",
        ),
        (
            [{"name": "mixup"}, {"name": "cutmix"}],
            "augment step 1 (mixup) works on whole batches; expected it as the last step, and only one such; "
            "got step 2 (cutmix) after it.",
        ),
        (
            [{"name": "crop", "height": 24, "width": 30}],
            "augment step 1 (crop) gives another size than the iterator's shape; expected height 28, width 30; "
            "got height 24, width 30. use resized_crop for a window of another size, or change the shape.",
        ),
    ],
)
def test_errors(steps, told):
    with pytest.raises(SpecError, match=f"^{re.escape(told)}$"):
        check_augment(steps, SHAPE)


def test_too_large():
    with pytest.raises(SpecError, match=r"images are too large to augment; expected sides up to 16000; got \(9, 16001"):
        check_augment([{"name": "flip"}], (9, 16_001, 3))
    assert check_augment([], (9, 16_001, 3)) == []


def test_operation_of():
    assert operation_of({"name": "flip"}) is OPERATIONS["flip"]
    assert operation_of({"name": "cutmix"}) is BATCH_OPERATIONS["cutmix"]


def test_checks_without_opencv():
    code = (
        "import sys; from airflow_mlplat.data.augment import check_augment;"
        "check_augment([{'name': 'blur'}, {'name': 'mixup'}], (8, 8, 3)); print('cv2' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
