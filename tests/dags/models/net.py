"""A small network for 8x8 digits, in each framework."""


def build(params):
    return {"tensorflow": keras_net, "mxnet": gluon_net, "caffe": caffe_net}[params["framework"]](params)


def keras_net(params):
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(params["shape"]),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.Flatten(),
            layers.Dense(params["classes"], activation="softmax"),
        ]
    )


def gluon_net(params):
    from mxnet.gluon import nn

    net = nn.HybridSequential()
    net.add(nn.Conv2D(16, 3, padding=1, activation="relu"), nn.Flatten(), nn.Dense(params["classes"]))
    return net


def caffe_net(params):
    from caffe import NetSpec, layers

    height, width, channels = params["shape"]
    filler = {"weight_filler": {"type": "xavier"}}
    net = NetSpec()
    net.data = layers.Input(shape={"dim": [1, channels, height, width]})
    net.conv = layers.Convolution(net.data, num_output=16, kernel_size=3, pad=1, **filler)
    net.score = layers.InnerProduct(layers.ReLU(net.conv, in_place=True), num_output=params["classes"], **filler)
    return net.to_proto()
