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


def planes(height=48, width=64):
    y, x = np.mgrid[0:height, 0:width]
    blue, red = np.mgrid[0 : height // 2, 0 : width // 2]
    return (60 + x + y).astype(np.uint8), (128 + blue).astype(np.uint8), (128 - red).astype(np.uint8)


def test_planes_are_encoded():
    luma, blue, red = planes()
    data = simplejpeg.encode_jpeg_yuv_planes(luma, blue, red, quality=98)
    assert simplejpeg.decode_jpeg_header(data) == (48, 64, "YCbCr", "420")
    assert off_by(simplejpeg.decode_jpeg(data, "GRAY")[..., 0], luma) < 1
    # JFIF: R = Y + 1.402 (Cr - 128), B = Y + 1.772 (Cb - 128)
    whole = luma.astype(float)
    colours = simplejpeg.decode_jpeg(data, "RGB")
    wanted = whole + 1.402 * (np.repeat(np.repeat(red, 2, 0), 2, 1).astype(float) - 128)
    assert off_by(colours[..., 0], np.clip(wanted, 0, 255)) < 2
    wanted = whole + 1.772 * (np.repeat(np.repeat(blue, 2, 0), 2, 1).astype(float) - 128)
    assert off_by(colours[..., 2], np.clip(wanted, 0, 255)) < 2


def test_arrays_of_every_layout():
    plain = simplejpeg.encode_jpeg(picture(), quality=95)
    frozen = picture()
    frozen.flags.writeable = False
    assert simplejpeg.encode_jpeg(frozen, quality=95) == plain
    padded = np.zeros((61, 90, 3), np.uint8)
    padded[:, :83] = picture()
    assert simplejpeg.encode_jpeg(padded[:, :83], quality=95) == plain


def test_codec_takes_what_it_made():
    """A picture that no longer changes when it is encoded again comes from one and the same library on both sides."""
    grey = np.full((16, 16, 1), 77, np.uint8)
    for _ in range(5):
        data = simplejpeg.encode_jpeg(grey, colorspace="GRAY", colorsubsampling="Gray")
        grey = simplejpeg.decode_jpeg(np.frombuffer(data, np.uint8), "GRAY")
    assert np.unique(grey).tolist() == [77]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: simplejpeg.encode_jpeg(picture().astype(float)), ValueError, "Buffer dtype mismatch|dtype"),
        (lambda: simplejpeg.encode_jpeg(picture()[..., 0]), ValueError, "dimensions"),
        (lambda: simplejpeg.encode_jpeg(picture(), colorspace="CMYK"), ValueError, "channels"),
        (lambda: simplejpeg.encode_jpeg(picture(), colorspace="nothing"), KeyError, "nothing"),
        (lambda: simplejpeg.encode_jpeg(picture(), colorsubsampling="9"), KeyError, "9"),
        (lambda: simplejpeg.encode_jpeg("no picture"), TypeError, "str"),
        (lambda: simplejpeg.encode_jpeg_yuv_planes(planes()[0], planes()[0], planes()[2]), ValueError, r".+"),
        (lambda: simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(picture()), "nothing"), KeyError, "nothing"),
        (lambda: simplejpeg.decode_jpeg_header(b"\xff\xd8\xff"), ValueError, r".+"),
        (lambda: simplejpeg.decode_jpeg("text"), TypeError, "str"),
    ],
)
def test_errors_have_types_of_python(call, error, message):
    for _ in range(50):
        with pytest.raises(error, match=message):
            call()


def test_errors_of_a_buffer_arrive_unchanged():
    class Broken:
        def __buffer__(self, _flags):
            raise IndexError("from Python")

    for call in (simplejpeg.encode_jpeg, simplejpeg.decode_jpeg, simplejpeg.decode_jpeg_header):
        for _ in range(20):
            with pytest.raises(IndexError, match="from Python"):
                call(Broken())
