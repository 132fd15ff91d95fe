"""tf.data on TFRecords: TensorFlow's own decoder, vectorised parsing, a buffer of 1000 samples to shuffle, AUTOTUNE."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from benchmarks.images import Images
from benchmarks.peer import BATCH, SIDE, WORKERS, Batches, Raw

BUFFER = 1000
FEATURES = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}


class TFRecord:
    exact = False

    def write(self, images: Images, folder: Path) -> None:
        with tf.io.TFRecordWriter(str(folder / "images.tfrecord")) as writer:
            for number in range(len(images)):
                media = tf.train.Feature(bytes_list=tf.train.BytesList(value=[images.media(number)]))
                label = tf.train.Feature(int64_list=tf.train.Int64List(value=[int(images.labels[number])]))
                features = tf.train.Features(feature={"image": media, "label": label})
                writer.write(tf.train.Example(features=features).SerializeToString())

    def raw(self, folder: Path, repeat: bool) -> Raw:
        batches = _records(folder, repeat).batch(BATCH).map(lambda batch: tf.io.parse_example(batch, FEATURES))
        for batch in batches.prefetch(1).as_numpy_iterator():
            yield from zip(batch["image"].tolist(), batch["label"].tolist())

    def decoded(self, folder: Path, repeat: bool) -> Batches:
        samples = _records(folder, repeat).map(_decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=False)
        options = tf.data.Options()
        options.threading.private_threadpool_size = WORKERS
        yield from samples.batch(BATCH).prefetch(tf.data.AUTOTUNE).with_options(options).as_numpy_iterator()


def _records(folder: Path, repeat: bool) -> Any:
    records = tf.data.TFRecordDataset(str(folder / "images.tfrecord"), buffer_size=8 << 20).shuffle(BUFFER)
    return records.repeat() if repeat else records


def _decode(record: Any) -> tuple[Any, Any]:
    sample = tf.io.parse_single_example(record, FEATURES)
    image = tf.image.resize(tf.io.decode_jpeg(sample["image"], channels=3), (SIDE, SIDE))
    return tf.cast(image, tf.uint8), sample["label"]


PEER = TFRecord()
