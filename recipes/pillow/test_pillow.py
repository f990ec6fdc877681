"""Pillow's C code and the libraries in it: every codec, values that native Pillow 13.0.0 gives, fonts, damage."""

import hashlib
import io
import struct
import zlib

import pytest
from PIL import Image, ImageDraw, ImageFile, ImageFilter, ImageFont, ImageMath, ImageMorph, _imaging, features


def picture(mode="RGB", size=(64, 48)):
    """Return a picture of ramps; every byte follows from its place."""
    width, height = size
    bands = len(Image.new(mode, (1, 1)).getbands())
    data = bytes(
        (x * 3 + y * 5 + c * 70 + x * y // 7) % 256 for y in range(height) for x in range(width) for c in range(bands)
    )
    return Image.frombytes(mode, size, data)


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()[:16]


def saved(image, kind, **options):
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def test_c_extension_and_codecs_are_there():
    assert _imaging.__file__.endswith((".so", ".pyd"))
    assert {"pil", "freetype2", "webp", "jpg", "jpg_2000", "zlib", "libtiff"} <= set(features.get_supported())
    assert features.version("webp") == "1.6.0"
    assert features.version("libtiff") == "4.7.2"
    assert features.version("jpg_2000") == "2.5.4"
    assert features.check("libjpeg_turbo")


def test_png_made_by_hand():
    # PNG specification (ISO/IEC 15948): signature, IHDR, IDAT with filter 0, IEND.
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"\0\xff\0\0\0\xff\0" + b"\0\0\0\xff\x80\x80\x80"
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    with Image.open(io.BytesIO(png)) as image:
        assert image.size == (2, 2)
        assert [image.getpixel(xy) for xy in ((0, 0), (1, 0), (0, 1), (1, 1))] == [
            (255, 0, 0),
            (0, 255, 0),
            (0, 0, 255),
            (128, 128, 128),
        ]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PNG", {"optimize": True}),
        ("WEBP", {"lossless": True}),
        ("JPEG2000", {"irreversible": False}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "packbits"}),
        ("BMP", {}),
        ("TGA", {"compression": "tga_rle"}),
        ("PPM", {}),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_lossless_formats(kind, options, mode):
    image = picture(mode)
    if mode == "RGBA":
        image.putalpha(image.getchannel("A").point(lambda value: max(value, 1)))
    if kind in ("PPM", "BMP") and mode == "RGBA":
        pytest.skip("Pillow reads no transparency there")
    data = saved(image, kind, **options)
    with Image.open(io.BytesIO(data)) as back:
        assert back.format == kind
        assert back.convert(mode).tobytes() == image.tobytes()


def test_group_4_fax():
    image = picture("L").convert("1")
    with Image.open(io.BytesIO(saved(image, "TIFF", compression="group4"))) as back:
        assert back.mode == "1"
        assert back.tobytes() == image.tobytes()


@pytest.mark.parametrize("options", [{"quality": 80}, {"quality": 80, "progressive": True, "subsampling": 0}])
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_lossy_formats(kind, options):
    options = {"compression": "jpeg", "quality": 80} if kind == "TIFF" else options
    smooth = Image.linear_gradient("L").resize((200, 120)).convert("RGB")
    data = saved(smooth, kind, **options)
    with Image.open(io.BytesIO(data)) as back:
        difference = [abs(a - b) for a, b in zip(back.convert("RGB").tobytes(), smooth.tobytes(), strict=True)]
    assert max(difference) <= 12
    assert sum(difference) / len(difference) < 2


def test_jpeg_as_native():
    image = picture()
    data = saved(image, "JPEG", quality=80)
    assert len(data) == 2077
    with Image.open(io.BytesIO(data)) as back:
        assert digest(back) == "0fe19dc007fe3362"


def test_jpeg_decoder_scales():
    with Image.open(io.BytesIO(saved(picture(size=(640, 480)), "JPEG"))) as image:
        image.draft("L", (160, 120))
        assert (image.mode, image.size) == ("L", (160, 120))
        image.load()


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("NEAREST", "025002706f32a176"),
        ("BOX", "bcfeb5912681d5f2"),
        ("BILINEAR", "a445de7bb895bc6e"),
        ("HAMMING", "b622d19491a63e5c"),
        ("BICUBIC", "f0d2ff48bda20fd8"),
        ("LANCZOS", "11d14c5638f1b9ad"),
    ],
)
def test_resize_as_native(method, expected):
    assert digest(picture().resize((37, 91), Image.Resampling[method])) == expected


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("L", "9a85ea59ef284033"),
        ("YCbCr", "f275924d9b6dec68"),
        ("CMYK", "b577546b268d9385"),
        ("HSV", "408a83f71ab3fdb7"),
    ],
)
def test_conversion_as_native(mode, expected):
    assert digest(picture().convert(mode)) == expected


@pytest.mark.parametrize(
    ("image_filter", "expected"),
    [
        (ImageFilter.GaussianBlur(3), "13c7836c60d3274a"),
        (ImageFilter.MedianFilter(5), "aabc7e490a7a49f3"),
        (ImageFilter.UnsharpMask(2, 150, 3), "ccd9574ac8731cfb"),
    ],
)
def test_filter_as_native(image_filter, expected):
    assert digest(picture().filter(image_filter)) == expected


def test_rotation_and_quantisation_as_native():
    image = picture()
    assert digest(image.rotate(33, Image.Resampling.BICUBIC, expand=True)) == "9b93c3afa14190b2"
    assert digest(image.quantize(16, Image.Quantize.MEDIANCUT).convert("RGB")) == "c6ff3043105c88a8"
    assert digest(image.quantize(16, Image.Quantize.FASTOCTREE).convert("RGB")) == "6bdbafd57efbe479"


def test_freetype_draws_text():
    font = ImageFont.load_default(24)
    assert isinstance(font, ImageFont.FreeTypeFont)
    assert font.getlength("Quick brown") == 142
    assert font.getbbox("Quick brown") == (0, 7, 142, 25)
    image = Image.new("L", (200, 40))
    ImageDraw.Draw(image).text((2, 2), "Quick brown", 255, font=font)
    assert image.getbbox() == (3, 9, 142, 27)
    assert sum(image.tobytes()) == pytest.approx(173485, rel=0.02)  # hinting differs a little between FreeTypes


def test_animations():
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        with Image.open(io.BytesIO(data)) as image:
            assert image.n_frames == 3
            image.seek(2)
            assert image.convert("RGB").getpixel((3, 3)) == (0, 0, 255)


def test_math_and_morphology():
    a, b = Image.new("I", (4, 4), 2**31 - 1), Image.new("I", (4, 4), 7)
    result = ImageMath.lambda_eval(lambda names: names["a"] / names["b"] + names["b"] ** 2, a=a, b=b)
    assert result.getpixel((0, 0)) == (2**31 - 1) // 7 + 49
    square = Image.new("L", (9, 9))
    square.paste(255, (3, 3, 6, 6))
    count, eroded = ImageMorph.MorphOp(op_name="erosion8").apply(square)
    assert count == 8
    assert eroded.getbbox() == (4, 4, 5, 5)


def test_parser_is_fed_in_parts():
    data = saved(picture(), "JPEG", quality=80)
    parser = ImageFile.Parser()
    for start in range(0, len(data), 97):
        parser.feed(data[start : start + 97])
    assert digest(parser.close()) == "0fe19dc007fe3362"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "JPEG2000", "GIF"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damage_is_an_error_and_not_the_end(kind):
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    data = saved(picture(size=(256, 256)), kind, **options)
    with pytest.raises((OSError, SyntaxError)), Image.open(io.BytesIO(data[: len(data) // 2])) as image:
        image.load()
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(io.BytesIO(data[7:]))


def test_decompression_bomb():
    header = b"P6 40000 40000 255\n"
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(header))


def test_errors_of_a_python_file_come_through():
    class Full(io.BytesIO):
        def write(self, _data):
            raise InterruptedError("no room")

    with pytest.raises(InterruptedError, match="no room"):
        picture().save(Full(), "JPEG")
