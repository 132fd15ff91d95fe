"""Image files of many kinds."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

RANDOM = np.random.RandomState(0)
SMOOTH = (np.add.outer(np.arange(61) * 3, np.arange(47) * 2)[..., None] * [1, 2, 3] % 256).astype(np.uint8)
NOISE = RANDOM.randint(0, 256, (50, 33, 3)).astype(np.uint8)


def encoded(image, kind, **how):
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **how)
    return buffer.getvalue()


def held(value):
    exif = Image.Exif()
    exif[274] = value
    return exif.tobytes()


def with_chunk(png, name, data):
    """A PNG with one more chunk behind its header."""
    chunk = struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    return png[:33] + chunk + png[33:]


def animated():
    """A PNG of two frames (APNG): colours, and noise that is laid over a part of them."""
    over = Image.fromarray(np.dstack([NOISE, np.full(NOISE.shape[:2], 128, np.uint8)]))
    frames = [Image.fromarray(SMOOTH[:50, :33]).convert("RGBA"), over]
    buffer = io.BytesIO()
    frames[0].convert("RGB").save(buffer, "PNG", save_all=True, append_images=[over.convert("RGB")], blend=1)
    return buffer.getvalue()


def jfif(jpeg):
    """A JPEG with the segment of a JFIF first, as some programs write it whatever the colours."""
    return jpeg[:2] + b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + jpeg[2:]


JPEGS = {
    "4:2:0": encoded(SMOOTH, "JPEG", quality=80),
    "4:2:2": encoded(NOISE, "JPEG", subsampling=1),
    "4:4:4": encoded(NOISE, "JPEG", subsampling=0, quality=95),
    "progressive": encoded(SMOOTH, "JPEG", progressive=True),
    "optimised": encoded(NOISE, "JPEG", optimize=True, quality=20),
    "grey": encoded(SMOOTH[..., 0], "JPEG"),
    "one pixel": encoded(NOISE[:1, :1], "JPEG"),
    "inks": encoded(Image.fromarray(NOISE).convert("CMYK"), "JPEG"),
    "inks in a JFIF": jfif(encoded(Image.fromarray(NOISE).convert("CMYK"), "JPEG")),
    "RGB": encoded(NOISE, "JPEG", keep_rgb=True),
    "RGB in a JFIF": jfif(encoded(NOISE, "JPEG", keep_rgb=True)),
    "with bytes behind it": encoded(SMOOTH, "JPEG") + b"\0\0\0",
    **{f"held {value}": encoded(SMOOTH, "JPEG", exif=held(value)) for value in range(1, 9)},
}
PNGS = {
    "colours": encoded(NOISE, "PNG"),
    "grey": encoded(NOISE[..., 0], "PNG"),
    "alpha": encoded(np.dstack([NOISE, NOISE[..., :1]]), "PNG"),
    "palette": encoded(Image.fromarray(NOISE).convert("P"), "PNG"),
    "one bit": encoded(Image.fromarray(NOISE[..., 0]).convert("1"), "PNG"),
    "16 bits": encoded(Image.fromarray(NOISE[..., 0].astype(np.uint16) * 257), "PNG"),
    "a transparent colour": encoded(NOISE, "PNG", transparency=(1, 2, 3)),
    "a transparent grey": encoded(NOISE[..., 0], "PNG", transparency=7),
    "held 6": encoded(NOISE, "PNG", exif=held(6)),
    "gamma": with_chunk(encoded(NOISE, "PNG"), b"gAMA", struct.pack(">I", 22_222)),
    "animated": animated(),
    "text": with_chunk(encoded(NOISE, "PNG"), b"tEXt", b"a\0b"),
    "compressed text": with_chunk(encoded(NOISE, "PNG"), b"zTXt", b"a\0\0" + zlib.compress(b"b")),
    "a profile": with_chunk(encoded(NOISE, "PNG"), b"iCCP", b"a\0\0" + zlib.compress(b"b")),
    "background": with_chunk(encoded(NOISE, "PNG"), b"bKGD", bytes(6)),
}
FILES = {**{f"jpeg, {name}": media for name, media in JPEGS.items()}, **{f"png, {k}": v for k, v in PNGS.items()}}
