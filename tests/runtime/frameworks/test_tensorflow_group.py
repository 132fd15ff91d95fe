"""Numbers that TensorFlow's workers add up, in processes."""

from __future__ import annotations

import pytest

from tests.runtime.frameworks.members import members

pytestmark = pytest.mark.tensorflow
FRAMEWORK = "tensorflow"

CODE = """
import tensorflow as tf
from airflow_mlplat.runtime.frameworks.tensorflow_group import TensorFlowGroup
group = TensorFlowGroup(tf, workers)
print(group.replicas)
values = np.array([4294967291.0, 1 / 3]) if workers.rank == 0 else np.array([0.0, 1e-17])
print(group.total(values).tolist())
print(group.total(np.full(3, np.inf))[0] < np.inf)
group.leave()
print("left")
"""


@pytest.mark.parametrize("count", [1, 2])
def test_sums_are_the_same_in_all(python, count):
    told = f"{count}\n{[4294967291.0, 1 / 3]}\nFalse\nleft\n"
    assert members(python, CODE, count) == [told] * count
