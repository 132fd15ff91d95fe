"""A small convolutional network for small images, in each framework."""


def build(params):
    """A Keras model, a Gluon block or a Caffe net, by `params["framework"]`; `params["width"]` scales it."""
    builders = {"tensorflow": build_tensorflow, "mxnet": build_mxnet, "caffe": build_caffe}
    return builders[params["framework"]](params)


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


def build_caffe(params):
    from caffe import NetSpec, layers
    from caffe import params as choices

    width, (height, across, channels) = params.get("width", 16), params["shape"]
    first = {"weight_filler": {"type": "xavier"}}
    pooling = {"pool": choices.Pooling.MAX, "kernel_size": 2, "stride": 2}
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [1, channels, height, across]})
    net.conv1 = layers.Convolution(net.data, num_output=width, kernel_size=3, **first)
    net.pool1 = layers.Pooling(layers.ReLU(net.conv1, in_place=True), **pooling)
    net.conv2 = layers.Convolution(net.pool1, num_output=2 * width, kernel_size=3, **first)
    net.pool2 = layers.Pooling(layers.ReLU(net.conv2, in_place=True), **pooling)
    net.drop2 = layers.Dropout(net.pool2, dropout_ratio=0.25)
    net.hidden = layers.InnerProduct(net.drop2, num_output=4 * width, **first)
    net.score = layers.InnerProduct(layers.ReLU(net.hidden, in_place=True), num_output=params["classes"], **first)
    return net.to_proto()
