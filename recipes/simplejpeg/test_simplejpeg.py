"""simplejpeg on libjpeg-turbo: pictures made here, encoded and decoded in every colour space, and damaged ones."""

import numpy as np
import pytest
import simplejpeg
from simplejpeg import _jpeg


def picture(height=61, width=83):
    """Return a smooth picture, on which the loss of JPEG is small."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [128 + 100 * np.sin(x / 17), 128 + 90 * np.cos(y / 13), 40 + x + y]
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


def off_by(first, second):
    return np.abs(first.astype(int) - second.astype(int)).mean()


def test_c_extension_is_in_use():
    assert _jpeg.__file__.endswith((".so", ".pyd"))
    assert simplejpeg.encode_jpeg is _jpeg.encode_jpeg


@pytest.mark.parametrize("subsampling", ["444", "422", "420", "440", "411"])
@pytest.mark.parametrize("fastdct", [False, True])
def test_round_trip(subsampling, fastdct):
    data = simplejpeg.encode_jpeg(picture(), quality=95, colorsubsampling=subsampling, fastdct=fastdct)
    assert data[:3] == b"\xff\xd8\xff"
    assert data[-2:] == b"\xff\xd9"
    assert simplejpeg.is_jpeg(data)
    assert simplejpeg.decode_jpeg_header(data) == (61, 83, "YCbCr", subsampling)
    back = simplejpeg.decode_jpeg(data, fastdct=fastdct)
    assert back.shape == (61, 83, 3)
    assert off_by(back, picture()) < 3


@pytest.mark.parametrize("space", ["RGB", "BGR", "RGBX", "BGRX", "XBGR", "XRGB", "RGBA", "BGRA", "ABGR", "ARGB"])
def test_channel_orders(space):
    wanted = np.full((61, 83, len(space)), 255, np.uint8)
    for i, letter in enumerate(space):
        if letter in "RGB":
            wanted[..., i] = picture()[..., "RGB".index(letter)]
    data = simplejpeg.encode_jpeg(wanted, quality=95, colorspace=space, colorsubsampling="444")
    assert off_by(simplejpeg.decode_jpeg(data, "RGB"), picture()) < 2
    back = simplejpeg.decode_jpeg(data, space)
    colours = [i for i, letter in enumerate(space) if letter in "RGB"]
    assert off_by(back[..., colours], wanted[..., colours]) < 2


def test_grey():
    grey = picture()[..., :1]
    data = simplejpeg.encode_jpeg(np.ascontiguousarray(grey), colorspace="GRAY", colorsubsampling="Gray", quality=95)
    assert simplejpeg.decode_jpeg_header(data)[2] == "Gray"
    assert off_by(simplejpeg.decode_jpeg(data, "GRAY"), grey) < 1


def test_quality_decides_the_size():
    sizes = [len(simplejpeg.encode_jpeg(picture(), quality=quality)) for quality in (10, 50, 90, 100)]
    assert sizes == sorted(sizes)
    assert sizes[0] * 3 < sizes[-1]


def test_scaled_decoding():
    data = simplejpeg.encode_jpeg(picture(400, 640), quality=90)
    small = simplejpeg.decode_jpeg(data, min_height=100, min_width=100, min_factor=1)
    assert 100 <= small.shape[0] < 200
    assert 100 <= small.shape[1] < 320


def test_buffers():
    data = bytearray(simplejpeg.encode_jpeg(picture()))
    out = np.empty((61, 83, 3), np.uint8)
    back = simplejpeg.decode_jpeg(memoryview(data), buffer=out)
    assert np.shares_memory(back, out)
    with pytest.raises(ValueError, match=r"[Bb]uffer"):
        simplejpeg.decode_jpeg(data, buffer=np.empty(10, np.uint8))


def test_damage_is_an_error_and_not_the_end():
    data = simplejpeg.encode_jpeg(picture())
    assert not simplejpeg.is_jpeg(b"no picture")
    for broken in (b"", b"no picture", data[:20]):
        with pytest.raises(ValueError, match=r".+"):
            simplejpeg.decode_jpeg(broken)
    with pytest.raises(ValueError, match=r"[Pp]remature"):
        simplejpeg.decode_jpeg(data[: len(data) // 2], strict=True)
    assert simplejpeg.decode_jpeg(data[: len(data) // 2], strict=False).shape == (61, 83, 3)
