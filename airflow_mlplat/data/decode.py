"""From media bytes to pixels, the same on every machine; bytes that are only a part of an image are an error.

The rules, whatever the file's format:

- Of several frames or pages the first counts.
- The orientation that a camera noted (EXIF) is applied.
- 16-bit grey keeps its upper 8 bits, as Pillow does with 16-bit colours; pixels of 32 bits are refused.
- PostScript (EPS) is refused: it is a program, and whether Pillow can draw it depends on what else is installed.
- Palettes become their colours; transparency is dropped, the colours below it show; colour profiles are not applied.
- Grey becomes three equal colours, colours become luma (ITU-R BT.601).
- Another size is fitted into the shape: `fit` says what becomes of the proportions, `resize` how pixels are made.

All of this is exact, whichever decoder reads the file (but `fast`), so pixels are equal wherever Pillow's JPEG decoder
is libjpeg-turbo, as in its wheels since 9.0; the IJG's own libjpeg enlarges the chroma of colour JPEGs in another way.
"""

from __future__ import annotations

import re

import numpy as np

from airflow_mlplat.data.decoders import DECODERS
from airflow_mlplat.data.fit import Shape, check_target, fitted
from airflow_mlplat.errors import DataError, MlplatError, SpecError


def decode(
    media: bytes, shape: Shape, resize: str = "bilinear", fit: str = "stretch", decoder: str = "exact"
) -> np.ndarray:
    """The image in a given shape, following the rules above.

    Args:
        media: A whole file that Pillow reads (JPEG, PNG, …), or a `.npy` of uint8 (H, W) or (H, W, C).
        shape: (height, width, channels), channels 1 or 3.
        resize: A key of `fit.FILTERS`, Pillow's, or of `fit.OPENCV_FILTERS`.
        fit: A key of `fit.FITS`.
        decoder: A key of `DECODERS`.

    Returns:
        uint8 (height, width, channels), contiguous, in [0, 255].

    Raises:
        DataError: Not an image, only a part of one, or a damaged one. What is damaged Pillow decides: it fills in what
            is missing in the middle of a JPEG.
        SpecError: No such channels, filter, way to fit or decoder.
        ConfigError: What is asked for needs a package that is not installed.
    """
    check_target(shape, resize, fit)
    check_decoder(decoder)
    return fitted(read_image(media, shape[2], decoder), shape, resize, fit)


def read_image(media: bytes, channels: int, decoder: str = "exact") -> np.ndarray:
    """The whole image in its own size: uint8 (H, W, channels), contiguous. Raises as `decode` does.

    The next call in the same thread may overwrite it.
    """
    try:
        return DECODERS[decoder](media, channels)
    except (MlplatError, MemoryError, ImportError):  # not the image's fault
        raise
    except Exception as error:  # Pillow's decoders raise many kinds: OSError, SyntaxError, ValueError, struct.error
        words = re.sub(" at 0x[0-9a-f]+", "", str(error))
        raise DataError(
            "media does not decode", got=f"{len(media)} bytes: {type(error).__name__}: {words}",
            fix="leave it out, as datasets that are built of spans do",
        ) from error  # fmt: skip


def check_decoder(decoder: str) -> None:
    """Raise a SpecError unless there is such a decoder."""
    if not isinstance(decoder, str) or decoder not in DECODERS:
        raise SpecError("decoder is not known", expected=" | ".join(DECODERS), got=repr(decoder))
