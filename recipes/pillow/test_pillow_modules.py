"""Pillow's compiled modules hand each other images as capsules; copies, pickles, callbacks and errors cross."""

import copy
import importlib
import io
import operator
import pickle
import sys
from types import MappingProxyType

import pytest
from PIL import (
    Image,
    ImageDraw,
    ImageFile,
    ImageFont,
    ImageMath,
    ImageMorph,
    ImagePath,
    ImageSequence,
    _imaging,
    _imagingft,
    _imagingmath,
    _imagingmorph,
    _webp,
)

MODES = ["1", "L", "P", "LA", "RGB", "RGBA", "RGBa", "La", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16"]


def ramp(mode="L", size=(8, 4)):
    width, height = size
    image = Image.new(mode, size)
    for y in range(height):
        for x in range(width):
            value = (x * 9 + y * 31) % 256
            bands = len(image.getbands())
            image.putpixel((x, y), value if bands == 1 else tuple((value + 7 * band) % 256 for band in range(bands)))
    return image


def numbers(mode, *values):
    image = Image.new(mode, (len(values), 1))
    for x, value in enumerate(values):
        image.putpixel((x, 0), value)
    return image


def values_of(image):
    return [image.getpixel((x, y)) for y in range(image.height) for x in range(image.width)]


def test_every_module_is_compiled():
    for module in (_imaging, _imagingft, _imagingmath, _imagingmorph, _webp):
        assert module.__file__.endswith(".so")


@pytest.mark.skipif(sys.platform != "emscripten", reason="there may be a Tk")
def test_without_tk_its_module_is_refused():
    for _ in range(3):
        with pytest.raises(ImportError):
            importlib.import_module("PIL._imagingtk")


@pytest.mark.parametrize("name", ["add", "sub", "mul", "and_", "or_", "xor", "lt", "le", "eq", "ne", "gt", "ge"])
def test_arithmetic_of_integers(name):
    left, right = [7, -7, 2**31 - 1, 0, -(2**31), 12], [2, 3, 0, 0, 0, 10]
    function = getattr(operator, name)
    image = ImageMath.lambda_eval(
        lambda names: function(names["a"], names["b"]), a=numbers("I", *left), b=numbers("I", *right)
    )
    assert values_of(image) == [int(function(a, b)) for a, b in zip(left, right, strict=True)]


@pytest.mark.parametrize("mode", ["I", "F"])
def test_other_functions_of_arithmetic(mode):
    left, right = numbers(mode, 7, 8, 9, -5), numbers(mode, 2, 4, 3, 1)

    def of(function):
        return values_of(ImageMath.lambda_eval(lambda names: function(names, names["a"], names["b"]), a=left, b=right))

    assert of(lambda _names, a, b: a / b) == ([3, 2, 3, -5] if mode == "I" else [3.5, 2, 3, -5])
    assert of(lambda _names, a, _b: -a) == [-7, -8, -9, 5]
    assert of(lambda _names, a, _b: abs(a)) == [7, 8, 9, 5]
    assert of(lambda names, a, b: names["min"](a, b)) == [2, 4, 3, -5]
    assert of(lambda names, a, b: names["max"](a, b)) == [7, 8, 9, 1]
    assert of(lambda _names, a, b: a**b)[:3] == [49, 4096, 729]
    assert of(lambda _names, a, b: (a + b) % b)[:3] == [1, 0, 0]
    if mode == "I":
        assert of(lambda _names, a, b: (a << b) >> b) == [7, 8, 9, -5]
        assert of(lambda _names, a, _b: ~a) == [-8, -9, -10, 4]
        assert of(lambda _names, a, b: a / (b - b)) == [0, 0, 0, 0]
    else:
        with pytest.raises(TypeError, match="bad operand type for 'and'"):
            of(lambda _names, a, b: a & b)


def test_corners_of_a_square():
    square = Image.new("L", (9, 9))
    square.paste(255, (3, 3, 6, 6))
    corners = ImageMorph.MorphOp(op_name="corner")
    assert sorted(corners.match(square)) == [(3, 3), (3, 5), (5, 3), (5, 5)]
    grown = ImageMorph.MorphOp(op_name="dilation8").apply(square)
    assert (grown[0], grown[1].getbbox()) == (25 - 9, (2, 2, 7, 7))
    edge = ImageMorph.MorphOp(op_name="edge").apply(square)[1]
    assert sorted(corners.get_on_pixels(edge)) == sorted(
        (x, y) for x in range(3, 6) for y in range(3, 6) if (x, y) != (4, 4)
    )


def test_one_picture_through_every_module():
    font = ImageFont.load_default(20)
    mask = Image.new("L", (60, 30))
    ImageDraw.Draw(mask).text((5, 2), "I", 255, font=font)
    left, top, right, bottom = mask.getbbox()
    solid = ImageMath.lambda_eval(lambda names: names["convert"](names["a"] > 127, "L") * 255, a=mask).convert("L")
    assert set(values_of(solid)) == {0, 255}
    grown = ImageMorph.MorphOp(op_name="dilation8").apply(solid)[1]
    target = io.BytesIO()
    Image.merge("RGBA", (solid, grown, mask, Image.new("L", mask.size, 254))).save(target, "WEBP", lossless=True)
    with Image.open(target) as back:
        red, green, blue, _alpha = back.split()
    assert red.tobytes() == solid.tobytes()
    assert blue.tobytes() == mask.tobytes()
    box = green.getbbox()
    assert box[0] >= left - 1
    assert box[2] <= right + 1
    assert box[1] >= top - 1
    assert box[3] <= bottom + 1
    count, shrunk = ImageMorph.MorphOp(op_name="erosion8").apply(green)
    assert count > 0
    assert not ImageMath.lambda_eval(lambda names: names["a"] > names["b"], a=shrunk, b=green).getbbox()


@pytest.mark.parametrize("mode", MODES)
def test_copies_and_pickles(mode):
    image = ramp(mode) if mode not in ("LAB", "HSV") else Image.frombytes(mode, (8, 4), ramp("RGB").tobytes())
    image.info["note"] = [1]
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    first = image.getpixel((0, 0))
    for again in (copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)), Image.Image.copy):
        other = again(image)
        assert (type(other), other.mode, other.size) == (type(image), mode, (8, 4))
        assert other == image
        assert other.info == {"note": [1]}
        assert other.getpalette() == image.getpalette()
        other.putpixel((0, 0), image.getpixel((7, 3)))
        assert image.getpixel((0, 0)) == first


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "I", "F"])
def test_memory_is_shared_by_arrow_s_capsules(mode):
    image = ramp(mode)
    assert Image.fromarrow(image, mode, image.size).tobytes() == image.tobytes()
    with pytest.raises(ValueError, match=r"[Ss]ize|allocate|array"):
        Image.fromarrow(image, mode, (100, 100))


def test_arrays_of_python_s_interface():
    class Grid(bytes):
        __array_interface__ = MappingProxyType({"shape": (2, 3), "typestr": "|u1"})

    image = Image.fromarray(Grid(range(6)))
    assert (image.mode, image.size, values_of(image)) == ("L", (3, 2), list(range(6)))
    assert image.__array_interface__["shape"] == (2, 3)


def test_fonts_pickle_and_measure_alike(tmp_path):
    path = tmp_path / "default.ttf"
    path.write_bytes(ImageFont.load_default(20).path.getvalue())
    font = ImageFont.truetype(path, 20)
    for other in (pickle.loads(pickle.dumps(font)), font.font_variant(size=20), ImageFont.TransposedFont(font).font):
        assert other.getname() == font.getname()
        assert other.getbbox("wheel") == font.getbbox("wheel")
        assert bytes(other.getmask("wheel")) == bytes(font.getmask("wheel"))
    assert font.getlength("ll") == 2 * font.getlength("l")
    assert font.getmetrics() == (font.font.ascent, font.font.descent)


def test_paths_and_outlines():
    path = ImagePath.Path([(0, 0), (10, 0), (10, 5)])
    assert path.getbbox() == (0, 0, 10, 5)
    path.transform((2, 0, 1, 0, 2, 1))
    assert path.tolist() == [(1, 1), (21, 1), (21, 11)]
    path.map(lambda x, y: (x - 1, y - 1))
    assert path[1:].tolist() == [(20, 0), (20, 10)]
    image = Image.new("L", (30, 30))
    draw = ImageDraw.Draw(image)
    outline = ImageDraw.Outline()
    outline.move(2, 2)
    for place in ((20, 2), (20, 20), (2, 20)):
        outline.line(*place)
    outline.close()
    draw.shape(outline, fill=255)
    assert image.getbbox() == (2, 2, 21, 21)
    draw.polygon(ImagePath.Path([(0, 0), (1, 0), (0, 1)]), fill=9)
    assert image.getpixel((0, 0)) == 9


class OwnError(Exception):
    pass


def fails(*_arguments, **_options):
    raise OwnError("from Python")


class Broken(io.BytesIO):
    """Fails from its second block on."""

    def __init__(self, data=b""):
        super().__init__(data)
        self.calls = 0

    def read(self, *arguments):
        self.calls += 1
        return fails() if self.calls > 40 or len(self.getvalue()) == 0 else super().read(*arguments)

    write = fails


class Decoder(ImageFile.PyDecoder):
    decode = fails


class Encoder(ImageFile.PyEncoder):
    encode = fails


def coded(register, run):
    register("fails", Decoder if register is Image.register_decoder else Encoder)
    try:
        run()
    finally:
        (Image.DECODERS if register is Image.register_decoder else Image.ENCODERS).pop("fails")


@pytest.mark.parametrize(
    "call",
    [
        *(lambda kind=kind: ramp("RGB").save(Broken(), kind) for kind in ("PNG", "JPEG", "WEBP", "GIF", "TIFF")),
        lambda: Image.open(Broken()),
        lambda: ImageFont.truetype(Broken(), 20),
        lambda: ramp().point(fails),
        lambda: ImagePath.Path([(0, 0)]).map(fails),
        lambda: ImageMath.lambda_eval(fails, a=ramp()),
        lambda: coded(Image.register_decoder, lambda: Image.frombytes("L", (2, 2), b"abcd", "fails")),
        lambda: coded(Image.register_encoder, lambda: ramp().tobytes("fails")),
        lambda: Image.fromarray(type("Bad", (), {"__array_interface__": property(fails)})()),
        lambda: Image.fromarrow(type("Bad", (), {"__arrow_c_array__": fails})(), "L", (2, 2)),
        lambda: ImageFont.load_default(20).font.render("x", fails, "L", None, None, None, 0, False, None, 0, (0, 0)),
    ],
)  # fmt: skip
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(20):
        with pytest.raises(OwnError, match="from Python"):
            call()


def test_a_text_too_large_is_refused_inside_the_font(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for _ in range(20):
        with pytest.raises(Image.DecompressionBombError):
            ImageFont.load_default(40).getmask("wheels")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _imagingmath.unop(_imagingmath.abs_I, None, None), TypeError, "Expected .* Capsule"),
        (lambda: _imagingmath.unop(0, ramp("I").getim(), ramp("I").getim()), (TypeError, ValueError), ".+"),
        (lambda: _imagingmorph.apply(b"short", ramp().getim(), ramp().getim()), RuntimeError, "LUT has the wrong size"),
        (lambda: _imagingmorph.match(bytes(512), ramp("RGB").getim()), RuntimeError, "mode|type"),
        (lambda: _webp.WebPAnimDecoder(b"nothing"), OSError, "decoder"),
        (lambda: _webp.WebPAnimEncoder((0, 0), 0, 0, 0, 0, 0, False, False), ValueError, "invalid canvas dimensions"),
        (lambda: ramp().im.getpixel((99, 0)), IndexError, "out of range"),
        (lambda: ramp().convert("RGB").im.convert("nothing", 0), ValueError, ".+"),
        (lambda: Image.blend(ramp(), ramp("RGB"), 0.5), ValueError, "images do not match"),
        (lambda: Image.new("L", (-1, 2)), ValueError, ">= 0"),
        (lambda: ImageFont.truetype(io.BytesIO(b"no font" * 100), 20), OSError, ".+"),
        (
            lambda: ImageFont.load_default(20).set_variation_by_axes([1]),
            OSError,
            "not a variation font|invalid argument",
        ),
        (lambda: Image.frombytes("RGB", (2, 2), b"short"), ValueError, "not enough image data"),
        (lambda: ramp().im.pastes, AttributeError, "pastes"),
        (lambda: Image.fromarrow(object(), "L", (2, 2)), ValueError, "arrow_c_array"),
    ],
)
def test_errors_of_the_modules(call, error, message):
    for _ in range(20):
        with pytest.raises(error, match=message):
            call()


def test_frames_of_one_format_become_another():
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    target = io.BytesIO()
    frames[0].save(target, "WEBP", save_all=True, append_images=frames[1:], lossless=True, duration=[10, 20, 30])
    with Image.open(target) as image:
        seen = [
            (frame.convert("RGB").getpixel((5, 5)), frame.info["duration"]) for frame in ImageSequence.Iterator(image)
        ]
        again = io.BytesIO()
        image.seek(0)
        image.save(again, "PNG", save_all=True)
    assert seen == [((255, 0, 0), 10), ((0, 255, 0), 20), ((0, 0, 255), 30)]
    with Image.open(again) as image:
        assert image.n_frames == 3
        image.seek(1)
        assert image.convert("RGB").getpixel((5, 5)) == (0, 255, 0)
