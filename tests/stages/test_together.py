"""What goes with several workers and devices; test_train.py has it in a training."""

from __future__ import annotations

import re

import pytest

from airflow_mlplat.errors import SpecError
from airflow_mlplat.stages.options import TrainOptions
from airflow_mlplat.stages.together import check_together


@pytest.mark.parametrize(
    ("how", "framework", "workers", "told"),
    [
        ({"devices": 2}, "caffe", 1, "devices is for tensorflow and mxnet; expected 1 with caffe; got 2."),
        ({"precision": "float16"}, "caffe", 1, "precision is for tensorflow and mxnet; expected float32 with caffe"),
        ({"batch_size": 32}, "caffe", 3, "workers is for tensorflow and mxnet; expected 1 with caffe; got 3."),
        ({"batch_size": 32}, "mxnet", 3, "of all 3 workers together; expected a multiple of 3; got 32."),
        ({"devices": 3}, "mxnet", 1, "of all 3 devices together; expected a multiple of 3; got 64."),
        (
            {"devices": 3},
            "mxnet",
            2,
            "of all 2 workers with 3 devices each together; expected a multiple of 6; got 64.",
        ),
        ({"shared_by": 2}, "mxnet", 2, "several workers share no batches; expected shared_by 1; got 2."),
    ],
)
def test_what_does_not_go_together_is_told(how, framework, workers, told):
    with pytest.raises(SpecError, match=re.escape(told)):
        check_together(TrainOptions(shape=(8, 8, 1), **how), framework, workers)


def test_what_does():
    check_together(TrainOptions(shape=(8, 8, 1)), "caffe", 1)
    check_together(TrainOptions(shape=(8, 8, 1), devices=2, precision="float16"), "mxnet", 4)
