"""Numbers that TensorFlow's workers add up, in processes."""

from __future__ import annotations

import pytest

from airflow_mlplat.errors import ConfigError
from airflow_mlplat.runtime.frameworks.tensorflow_group import TensorFlowGroup
from airflow_mlplat.stages.workers import ONE_WORKER
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


REFUSED = """
import tensorflow as tf
from airflow_mlplat.runtime.frameworks.tensorflow_group import TensorFlowGroup
try:
    TensorFlowGroup(tf, workers, 2)
except Exception as error:
    print(type(error).__name__, error)
"""


def test_workers_without_gpus_have_one_device_each(python):
    told = "TensorFlow's workers have one CPU each; expected devices 1, or GPUs; got devices 2 and no GPU."
    assert members(python, REFUSED, 2) == [f"ConfigError {told}\n"] * 2


class Gpus:
    """As TensorFlow, on a machine with one GPU."""

    class config:
        @staticmethod
        def list_physical_devices(kind):
            return ["one"]


def test_fewer_gpus_than_devices():
    with pytest.raises(ConfigError, match=r"there are not so many GPUs; expected devices 1 or fewer; got 2\."):
        TensorFlowGroup(Gpus, ONE_WORKER, 2)


JOINING = """
import tensorflow as tf
from airflow_mlplat.errors import BuildError
from airflow_mlplat.runtime.frameworks.tensorflow_group import TensorFlowGroup
from airflow_mlplat.stages.workers import Workers
group = TensorFlowGroup(tf, workers)
for count in (1, 2):
    group.workers = Workers(0, (("127.0.0.1", 1),) * count)
    for cause in (tf.errors.UnavailableError(None, None, "gone"), ValueError("no")):
        try:
            with group.joining():
                raise BuildError("build(params) failed") from cause
        except Exception as error:
            print(count, type(cause).__name__, type(error).__name__)
"""


def test_that_another_worker_is_gone_is_no_mistake_of_the_build_file(python):
    (told,) = members(python, JOINING, 1)
    assert told.splitlines() == [
        "1 UnavailableError BuildError",
        "1 ValueError BuildError",
        "2 UnavailableError PlatformError",
        "2 ValueError BuildError",
    ]
