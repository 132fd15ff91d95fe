"""The user's build file: Python with `build(params)`, and maybe `train(ctx)`. Its mistakes are told as such.

`build(params)` returns a Keras model (TensorFlow), a Gluon block (MXNet), or (Caffe) a net or (net, solver), each as
prototxt text or as Caffe's message; `runtime.frameworks.prototxt` says what they may hold. `params` is
`TrainOptions.params` with `classes` (how many), `shape` (height, width, channels) and `framework`. The model gets
float32 images in [0, 1]: (n, height, width, channels) in Keras, (n, channels, height, width) in Gluon and Caffe. It
gives one row per image with one number per class. Rows that are not negative and sum to 1 are taken as probabilities,
any others as logits; that is told once, from a few random images, when the model is built.
"""

from __future__ import annotations

import errno
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from airflow_mlplat.errors import BuildError, MlplatError

PROBE_IMAGES = 4
_ROUNDED = {"float32": 1e-3, "bfloat16": 2e-2, "float16": 4e-3}
"""How far the sum of probabilities may be from 1: a few of a precision's last places."""
_CLOSED = {"(": "…)", "[": "…]", "{": "…}"}
"""How a line that opens a bracket is told without the rest."""
_NO_PACKAGE = (
    "{name!r} is not in the job's environment: install it into the framework's under MLPLAT_ENVIRONMENTS, "
    "or into an image of your own (docker/README.md)"
)
_NO_NETWORK = (
    "A job in a container has no network, unless limits names one (Docker), or the cluster's policies allow it"
)


class BuildFile:
    """A build file, run at the first use.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: dict[str, Any] | None = None

    def build(self, params: dict[str, Any]) -> Any:
        """What the file's `build(params)` returns.

        Raises:
            BuildError: The file does not run, has no such function, or that fails.
        """
        function = self._function("build")
        if function is None:
            raise BuildError(
                "the build file has no function build", expected="def build(params):", fix="define it there"
            )
        with self.blamed("build(params)"):
            return function(dict(params))

    @property
    def train(self) -> Callable[[Any], Any] | None:
        """The file's `train(ctx)`, None if it has none.

        Raises:
            BuildError: The file does not run.
        """
        return self._function("train")

    def _function(self, name: str) -> Callable[..., Any] | None:
        if self._names is None:
            self._names = self._run()
        function = self._names.get(name)
        if function is not None and not callable(function):
            raise BuildError(f"{name} in the build file is no function", got=type(function).__name__)
        return function

    def _run(self) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "build_file", "__file__": str(self.path)}
        with self.blamed("the code"):
            exec(compile(self.path.read_bytes(), str(self.path), "exec"), names)
        return names

    @contextmanager
    def blamed(self, doing: str) -> Iterator[None]:
        """Turn what the user's code raises into a BuildError that names the line.

        Args:
            doing: What runs, `build(params)`.

        Raises:
            BuildError: Something was raised.
        """
        try:
            yield
        except MlplatError:
            raise
        except SyntaxError as error:
            place = f"the build file, line {error.lineno}"
            raise BuildError(f"{place}: {error.msg}", got=repr((error.text or "").strip()), fix="mend it") from error
        except (Exception, SystemExit) as error:
            place, line = self._place(error)
            said = f"{type(error).__name__}: {str(error).strip().rstrip('.')}"
            fixes = [line, _no_package(error), _NO_NETWORK if _reached_nothing(error) else None]
            fix = ". ".join(text for text in fixes if text) or None
            raise BuildError(f"{doing} of {place} failed", got=said, fix=fix) from error

    def _place(self, error: BaseException) -> tuple[str, str | None]:
        """The innermost line of the file that was running, and its text."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(self.path)]
        if not frames:
            return "the build file", None
        text = (frames[-1].line or "").rstrip(",")  # the first line alone of a longer statement
        line = f"Look at: {text}{_CLOSED.get(text[-1:], '')}" if text else None
        return f"the build file, line {frames[-1].lineno}", line

    def check_model(self, model: Any, kind: type, name: str) -> None:
        """Whether `build` returned what the framework trains.

        Raises:
            BuildError: It did not.
        """
        if not isinstance(model, kind):
            got = "nothing" if model is None else f"{type(model).__module__}.{type(model).__qualname__}"
            raise BuildError(
                "build(params) of the build file returned the wrong thing",
                expected=name,
                got=got,
                fix="return the model" if model is None else None,
            )

    def check_weights(self, given: Any, built: Any) -> None:
        """Whether weights are of the model that the file builds.

        Args:
            given: Shapes of the weights.
            built: Shapes of the model's own.

        Raises:
            BuildError: They are not.
        """
        if given != built:
            raise BuildError(
                f"{self.path.name} builds another model than the weights are of", expected=given, got=built,
                fix="build(params) must build the same model each time",
            )  # fmt: skip

    def check_outputs(self, outputs: Any, classes: int, precision: str = "float32") -> bool:
        """Whether the outputs of a model on `PROBE_IMAGES` images are probabilities; else they are logits.

        Args:
            outputs: Float, (PROBE_IMAGES, classes).
            classes: How many.
            precision: That they were computed in; one of `options.PRECISIONS`.

        Raises:
            BuildError: They have another shape.
        """
        got = tuple(getattr(outputs, "shape", ())) or type(outputs).__name__
        if got != (PROBE_IMAGES, classes):
            raise BuildError(
                "the model of the build file has the wrong output",
                expected=f"shape (images, classes) = ({PROBE_IMAGES}, {classes})",
                got=got,
                fix='end it with a dense layer of params["classes"] outputs',
            )
        return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1.0, atol=_ROUNDED[precision]))


def probe_images(shape: tuple[int, int, int]) -> np.ndarray:
    """Random images, the same each time: uint8 (PROBE_IMAGES, *shape)."""
    return np.random.RandomState(0).randint(0, 256, (PROBE_IMAGES, *shape)).astype(np.uint8)


def _no_package(error: BaseException) -> str | None:
    """What to do about an import of what is not there."""
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    return _NO_PACKAGE.format(name=name) if name else None


def _reached_nothing(error: BaseException | None) -> bool:
    """Whether it came of an address or a name that nothing leads to, such as weights that a library would download."""
    seen: set[int] = set()  # `raise error from error` makes a ring
    while error is not None and id(error) not in seen:
        if isinstance(error, socket.gaierror) or getattr(error, "errno", None) == errno.ENETUNREACH:
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False
