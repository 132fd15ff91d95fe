"""Tried in every new image, as jobs run there: what the image is for imports, and images decode.

Usage: smoke.py tensorflow|mxnet|caffe|prep
"""

import io
import os
import sys

import numpy as np
from PIL import Image

from airflow_mlplat.compiled.library import LIBRARY, library
from airflow_mlplat.data.decode import decode
from airflow_mlplat.runtime.runner import load_trainer

if __name__ == "__main__":
    name = sys.argv[1]
    assert os.getuid() != 0, "the image runs as root"
    if name != "prep":
        load_trainer(name)
    square = np.arange(64, dtype=np.uint8).reshape(8, 8)
    file = io.BytesIO()
    Image.fromarray(square).save(file, "PNG")
    assert np.array_equal(decode(file.getvalue(), (8, 8, 1))[:, :, 0], square), "pixels are not what was encoded"
    assert library() is not None or not LIBRARY.exists(), "what is compiled does not load here"
    print(f"{name}: Python {sys.version.split()[0]}, numpy {np.__version__}")
