"""A small network for 8x8 digits, in either framework."""


def build(params):
    return {"tensorflow": keras_net, "mxnet": gluon_net}[params["framework"]](params)


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
