"""What a build file gives Caffe, a net and maybe a solver, made into what a trainer needs. Knows messages, not Caffe.

Messages are those of `caffe.proto.caffe_pb2`; texts are prototxt.
"""

from __future__ import annotations

from typing import Any

from airflow_mlplat.errors import BuildError

SOURCES = ("Input", "Data", "ImageData", "HDF5Data", "MemoryData", "WindowData")
"""Types of layers that bring images and labels: the iterator does that, so they are left out."""
SOLVER_FIELDS = (
    "type", "momentum", "momentum2", "delta", "rms_decay", "weight_decay", "regularization_type", "clip_gradients",
)  # fmt: skip
"""What a build file's solver may say."""


def read(given: Any, kind: type, what: str) -> Any:
    """A message of a kind, from such a message or from its text.

    Args:
        given: By the build file.
        kind: Class of the message.
        what: It is called so in errors.

    Raises:
        BuildError: It is neither, or the text is wrong: with its line.
    """
    from google.protobuf import text_format

    message = kind()
    if isinstance(given, kind):
        message.CopyFrom(given)
        return message
    if not isinstance(given, str):
        raise BuildError(
            f"build(params) of the build file returned no {what}",
            expected=f"prototxt as text, or a {kind.__name__}",
            got="nothing" if given is None else f"{type(given).__module__}.{type(given).__qualname__}",
            fix="return the net, or (net, solver)",
        )
    try:
        return text_format.Merge(given, message)
    except text_format.ParseError as error:
        raise BuildError(f"the {what} of the build file is no {kind.__name__}", got=str(error).rstrip(".")) from error


def deployed(net: Any, shape: tuple[int, int, int]) -> Any:
    """A net from images to one output: its sources replaced by one input, what uses labels left out.

    So the `train_val.prototxt` that a model came with can be given as it is.

    Args:
        net: NetParameter.
        shape: (height, width, channels) of the images.

    Returns:
        Another NetParameter, whose first layer is the input.

    Raises:
        BuildError: It has no images, changes them on its own, or is in Caffe's format of before 2014.
    """
    if net.layers:
        raise BuildError(
            "the net is in Caffe's format of before 2014", got="layers { … }", fix="run upgrade_net_proto_text on it"
        )
    images, labels = _sources(net)
    made = type(net)(name=net.name)
    made.layer.add(name=images, type="Input", top=[images]).input_param.shape.add(dim=[1, shape[2], *shape[:2]])
    for layer in net.layer:
        if layer.type in SOURCES:
            continue
        if labels.intersection(layer.bottom):
            labels.update(set(layer.top) - set(layer.bottom))
            continue
        made.layer.add().CopyFrom(layer)
    return made


def _sources(net: Any) -> tuple[str, set[str]]:
    """(the blob of the images, the blobs of what comes with them)."""
    tops = [list(net.input)] if net.input else []
    for layer in net.layer:
        if layer.type in SOURCES:
            if layer.HasField("transform_param"):
                raise BuildError(
                    f"layer {layer.name!r} of the net changes images on its own",
                    expected="no transform_param: images come in [0, 1], of the training's shape",
                    fix="leave it out; augment, shape and fit are options of the training",
                )
            tops.append(list(layer.top))
    images = {blobs[0] for blobs in tops if blobs}
    if len(images) != 1:
        raise BuildError(
            "the net has not one blob of images",
            expected=f"a layer of type {' | '.join(SOURCES)}, whose first top is the images",
            got=", ".join(sorted(images)) or "none",
        )
    return images.pop(), {blob for blobs in tops for blob in blobs[1:]}


def output_of(net: Any) -> str:
    """The one blob of a net that no layer takes.

    Raises:
        BuildError: There is not one.
    """
    left: dict[str, None] = {}
    for layer in net.layer:
        for blob in layer.bottom:
            left.pop(blob, None)
        left.update(dict.fromkeys(layer.top))
    if len(left) != 1:
        raise BuildError("the net has not one output", expected="one blob that no layer takes", got=", ".join(left))
    return next(iter(left))


def trained(net: Any, output: str) -> Any:
    """The net with a weight on its output: without one, Caffe computes no gradients. The weight itself is not used."""
    made = type(net)()
    made.CopyFrom(net)
    last = [layer for layer in made.layer if output in layer.top][-1]
    last.loss_weight[:] = [float(top == output) for top in last.top]
    return made


def check_solver(solver: Any) -> None:
    """Raise BuildError unless a SolverParameter says only what is its own to say."""
    beyond = [field.name for field, _ in solver.ListFields() if field.name not in SOLVER_FIELDS]
    if beyond:
        raise BuildError(
            "the solver of the build file sets what is not its own",
            expected=" | ".join(SOLVER_FIELDS),
            got=", ".join(beyond),
            fix="leave it out: learning_rate, schedule, epochs, batch_size, seed and checkpoint_every are options of "
            "the training",
        )
