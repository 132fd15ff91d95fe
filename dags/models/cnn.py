"""A small convolutional network for small images, in either framework."""


def build(params):
    """A Keras model or a Gluon block, by `params["framework"]`; `params["width"]` scales it."""
    return {"tensorflow": build_tensorflow, "mxnet": build_mxnet}[params["framework"]](params)


def build_tensorflow(params):
    from keras import Input, Sequential, layers

    width = params.get("width", 16)
    return Sequential(
        [
            Input(params["shape"]),
            layers.Conv2D(width, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(2 * width, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.25),
            layers.Dense(4 * width, activation="relu"),
            layers.Dense(params["classes"]),
        ]
    )


def build_mxnet(params):
    from mxnet.gluon import nn

    width = params.get("width", 16)
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(width, 3, activation="relu"),
        nn.MaxPool2D(),
        nn.Conv2D(2 * width, 3, activation="relu"),
        nn.MaxPool2D(),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Dense(4 * width, activation="relu"),
        nn.Dense(params["classes"]),
    )
    return net
