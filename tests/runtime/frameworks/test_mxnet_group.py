"""Arrays that MXNet's workers add up, in processes."""

from __future__ import annotations

import pytest

from tests.runtime.frameworks.members import members

pytestmark = pytest.mark.mxnet
FRAMEWORK = "mxnet"

CODE = """
import mxnet as mx
from airflow_mlplat.runtime.frameworks.mxnet_group import MXNetGroup
group = MXNetGroup(mx, workers)
if workers.count > 1:
    print([group.first(mx.nd.ones((3,)) * workers.rank).asnumpy().tolist() for _ in range(2)])
    print([group.summed(mx.nd.ones((2,)) * (workers.rank + 1)).asnumpy().tolist() for _ in range(3)])
values = np.array([4294967291.0, 1 / 3]) if workers.rank == 0 else np.array([0.0, 1e-17])
print(group.total(values).tolist())
print(group.total(np.full(3, np.inf))[0] < np.inf)
group.leave()
print("left")
"""


def test_sums_are_exact_and_the_same_in_all(python):
    said = members(python, CODE, 3)
    first, *others = [told.splitlines() for told in said]
    assert first == others[0] == others[1]
    assert first[0] in [str([[value] * 3] * 2) for value in (0.0, 1.0, 2.0)]
    assert first[1:] == [str([[6.0, 6.0]] * 3), str([4294967291.0, 1 / 3 + 1e-17 + 1e-17]), "False", "left"]


def test_one_alone(python):
    assert members(python, CODE, 1) == [f"{[4294967291.0, 1 / 3]}\nFalse\nleft\n"]
