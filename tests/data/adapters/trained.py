"""What frameworks do with the batches beyond reading them. Used by `digests.py`, in a framework's environment."""

from __future__ import annotations

from digests import iterator_of

from airflow_mlplat.data import batch_digest
from airflow_mlplat.errors import MlplatError


def told(make):
    """The text of the error that this raises."""
    try:
        make()
    except MlplatError as error:
        return str(error)


def tensorflow(samples):
    """Keras' own `fit` for two epochs, which must not run out of batches; and the state after two batches."""
    import keras

    from airflow_mlplat.data.adapters.tensorflow import dataset

    model = keras.Sequential([keras.layers.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    iterator = iterator_of(samples, {})
    losses = model.fit(dataset(iterator), epochs=2, verbose=0).history["loss"]
    partly = iterator_of(samples, {})
    for taken, _ in enumerate(dataset(partly), 1):
        if taken == 2:
            break
    static = dataset(iterator_of(samples, {"drop_remainder": True})).element_spec[0].shape
    return [losses, iterator.get_state(), partly.get_state(), list(static)]


def mxnet(samples):
    """A module's own `fit` for two epochs, the last batch of which is smaller."""
    import mxnet as mx

    from airflow_mlplat.data.adapters.mxnet import data_iter

    pixels = mx.sym.Flatten(mx.sym.Cast(mx.sym.Variable("data"), dtype="float32"))
    output = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(pixels, num_hidden=10), mx.sym.Variable("softmax_label"))
    metric, iterator = mx.metric.CrossEntropy(), iterator_of(samples, {})
    losses = []
    mx.mod.Module(output).fit(
        data_iter(iterator), num_epoch=2, eval_metric=metric,
        epoch_end_callback=lambda *_: losses.append([metric.get()[1], metric.num_inst]),
    )  # fmt: skip
    return [losses, iterator.get_state()]


def torch(samples):
    """A few steps on the CPU; the GPU's batches, or why there are none; the error of a loader with workers."""
    import torch
    from torch.utils.data import DataLoader

    from airflow_mlplat.data.adapters.torch import channels_last, dataset, pinned

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 10))
    optimizer, losses = torch.optim.SGD(model.parameters(), 0.1), []
    iterator = iterator_of(samples, {})
    for images, labels in dataset(iterator):
        inputs = channels_last(images)
        assert inputs.data_ptr() == images.data_ptr()
        assert inputs.is_contiguous(memory_format=torch.channels_last)
        loss = torch.nn.functional.cross_entropy(model(inputs.float() / 255), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    own = dataset(iterator_of(samples, {}))
    next(iter(own))
    state = own.get_state()["position"]
    with_workers = DataLoader(own, batch_size=None, num_workers=1)
    return {
        "losses": losses, "end": iterator.get_state(), "state": state,
        "workers": told(lambda: list(with_workers)),
        "gpu": on_gpu(samples) if torch.cuda.is_available() else None,
        "no gpu": told(lambda: dataset(iterator_of(samples, {}), "cuda:9")),
        "no pinned": None if torch.cuda.is_available() else told(lambda: pinned(8)),
    }  # fmt: skip


def on_gpu(samples):
    """Digests of two epochs whose batches all stay on the GPU, and the state after the second batch."""
    from airflow_mlplat.data.adapters.torch import dataset, pinned

    batches = dataset(iterator_of(samples, {}, allocate=pinned), "cuda")
    kept = [list(batches) for _ in range(3)]
    partly = dataset(iterator_of(samples, {}, allocate=pinned), "cuda")
    one_pass = iter(partly)
    next(one_pass), next(one_pass)
    return [
        [[batch_digest(x.cpu().numpy(), y.cpu().numpy()) for x, y in epoch] for epoch in kept],
        partly.get_state()["position"],
    ]


def jax(samples):
    """Sums that are computed while the iterator goes on, of arrays that nothing else refers to; types; memory."""
    import jax

    from airflow_mlplat.data.adapters.jax import arrays

    total = jax.jit(lambda x: x.astype("uint32").sum())
    sums = [total(images) for images, _ in arrays(iterator_of(samples, {"shape": (64, 64, 3)}))]
    expected = [int(batch.images.sum()) for batch in iterator_of(samples, {"shape": (64, 64, 3)}, 1)]
    images, labels = next(arrays(iterator_of(samples, {})))
    return [[int(x) for x in sums] == expected, str(images.dtype), str(labels.dtype)]


def caffe(samples):
    import caffe_nets

    return caffe_nets.trained(samples, told)


TRAINED = {f.__name__: f for f in (tensorflow, mxnet, torch, jax, caffe)}
