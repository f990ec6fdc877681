"""ncnn's layers against NumPy: networks written here, their weights given as bytes, their outputs worked out again."""

from importlib.metadata import version

import ncnn
import numpy as np
import pytest

RANDOM = np.random.default_rng(7)


def network(layers, weights, *, winograd=True):
    """Return a loaded network: ``layers`` in ncnn's text format, ``weights`` the arrays of its model file, in order."""
    lines = layers.strip().splitlines()
    blobs = {name for line in lines for name in line.split()[4 : 4 + int(line.split()[2]) + int(line.split()[3])]}
    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False  # else 3 digits are right
    net.opt.use_winograd_convolution = winograd
    assert net.load_param_mem("\n".join(["7767517", f"{len(lines)} {len(blobs)}", *lines])) == 0
    # A weight starts with a word of flags, 0 for 32-bit floats; a bias does not.
    data = b"".join((b"\0\0\0\0" if flagged else b"") + array.astype("<f4").tobytes() for array, flagged in weights)
    net.load_model_mem(data)
    return net


def run(net, values, wanted="out"):
    with net.create_extractor() as extractor:
        given = np.ascontiguousarray(values, dtype=np.float32)  # a Mat shares its memory and does not keep it
        extractor.input("in", ncnn.Mat(given).clone())
        status, result = extractor.extract(wanted)
        assert status == 0
        return np.array(result)


def test_version():
    assert ncnn.__version__ == version("ncnn")


def convolved(image, kernel, bias, stride=1, pad=0):
    """Return the convolution (channels, height, width) by its definition."""
    image = np.pad(image, ((0, 0), (pad, pad), (pad, pad)))
    size = kernel.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("cyxij,ocij->oyx", windows, kernel) + bias[:, None, None]


def test_compiled_module_is_in_use():
    assert ncnn.ncnn.__file__.endswith((".so", ".pyd"))
    assert not ncnn.Option().use_vulkan_compute


@pytest.mark.parametrize("window", [(1, 1, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2), (7, 2, 3)])
@pytest.mark.parametrize(("channels", "outputs"), [(3, 8), (8, 16), (16, 4), (1, 1)])
@pytest.mark.parametrize("winograd", [False, True])
def test_convolution(window, channels, outputs, winograd):
    kernel, stride, pad = window
    weight = RANDOM.standard_normal((outputs, channels, kernel, kernel))
    bias = RANDOM.standard_normal(outputs)
    net = network(
        f"Input in 0 1 in\nConvolution c 1 1 in out 0={outputs} 1={kernel} 3={stride} 4={pad} 5=1 6={weight.size}",
        [(weight, True), (bias, False)],
        winograd=winograd,
    )
    image = RANDOM.standard_normal((channels, 19, 23))
    expected = convolved(image, weight, bias, stride, pad)
    # Winograd's algorithm for tiles of 6 adds up what is far larger than its sum: its error is one of the whole tile.
    error = 1e-5 * np.abs(expected).max() if winograd else 1e-4
    np.testing.assert_allclose(run(net, image), expected, rtol=1e-4, atol=error)


@pytest.mark.parametrize("channels", [4, 7, 16])
def test_depthwise_convolution(channels):
    weight, bias = RANDOM.standard_normal((channels, 1, 3, 3)), RANDOM.standard_normal(channels)
    net = network(
        f"Input in 0 1 in\nConvolutionDepthWise c 1 1 in out 0={channels} 1=3 4=1 5=1 6={weight.size} 7={channels}",
        [(weight, True), (bias, False)],
    )
    image = RANDOM.standard_normal((channels, 9, 14))
    expected = np.concatenate(
        [convolved(image[c : c + 1], weight[c : c + 1], bias[c : c + 1], pad=1) for c in range(channels)]
    )
    np.testing.assert_allclose(run(net, image), expected, rtol=1e-4, atol=1e-4)


def test_inner_product_and_softmax():
    weight, bias = RANDOM.standard_normal((10, 64)), RANDOM.standard_normal(10)
    net = network(
        f"Input in 0 1 in\nInnerProduct p 1 1 in x 0=10 1=1 2={weight.size}\nSoftmax s 1 1 x out",
        [(weight, True), (bias, False)],
    )
    values = RANDOM.standard_normal(64)
    powers = np.exp(weight @ values + bias - (weight @ values + bias).max())
    np.testing.assert_allclose(run(net, values), powers / powers.sum(), rtol=1e-4, atol=1e-6)


UNARY = {
    "ReLU": lambda x: np.maximum(x, 0),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "TanH": np.tanh,
    "Swish": lambda x: x / (1 + np.exp(-x)),
    "AbsVal": np.abs,
}


@pytest.mark.parametrize("name", UNARY)
def test_activations(name):
    values = np.linspace(-6, 6, 12 * 13 * 5).reshape(5, 12, 13)
    net = network(f"Input in 0 1 in\n{name} a 1 1 in out", [])
    np.testing.assert_allclose(run(net, values), UNARY[name](values), rtol=1e-3, atol=1e-5)


def test_pooling():
    image = RANDOM.standard_normal((6, 8, 10))
    blocks = image.reshape(6, 4, 2, 5, 2)
    largest = network("Input in 0 1 in\nPooling p 1 1 in out 0=0 1=2 2=2", [])
    np.testing.assert_allclose(run(largest, image), blocks.max(axis=(2, 4)), rtol=1e-5)
    mean = network("Input in 0 1 in\nPooling p 1 1 in out 0=1 1=2 2=2", [])
    np.testing.assert_allclose(run(mean, image), blocks.mean(axis=(2, 4)), rtol=1e-4, atol=1e-6)
    everything = network("Input in 0 1 in\nPooling p 1 1 in out 0=1 4=1", [])
    np.testing.assert_allclose(run(everything, image).ravel(), image.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_split_add_and_concat():
    net = network(
        "Input in 0 1 in\nSplit s 1 2 in a b\nReLU r 1 1 a c\nSplit t 1 2 c d e\nBinaryOp m 2 1 b d f 0=0\n"
        "Concat k 2 1 e f out 0=0",
        [],
    )
    values = RANDOM.standard_normal((2, 3, 4))
    positive = np.maximum(values, 0)
    np.testing.assert_allclose(run(net, values), np.concatenate([positive, values + positive]), rtol=1e-5)


def test_matrices_share_memory_with_numpy():
    matrix = ncnn.Mat(5, 4, 3)
    array = np.asarray(matrix)
    assert array.shape == (3, 4, 5)
    array[2, 3, 4] = 42
    assert matrix.channel(2).row(3)[4] == 42
    matrix.fill(1.5)
    assert array.sum() == 90


def test_pixels():
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    matrix = ncnn.Mat.from_pixels(pixels, ncnn.Mat.PixelType.PIXEL_RGB2BGR, 6, 4)
    assert np.array_equal(np.array(matrix), pixels[:, :, ::-1].transpose(2, 0, 1))
    matrix.substract_mean_normalize([1.0, 2.0, 3.0], [0.5, 0.5, 2.0])
    assert np.array(matrix)[2, 0, 1] == (3 - 3) * 2
    resized = ncnn.Mat.from_pixels_resize(np.full((8, 8, 3), 77, np.uint8), ncnn.Mat.PixelType.PIXEL_RGB, 8, 8, 3, 5)
    assert np.array(resized).tolist() == np.full((3, 5, 3), 77).tolist()


def test_layer_written_in_python():
    class Twice(ncnn.Layer):
        def __init__(self):
            ncnn.Layer.__init__(self)
            self.one_blob_only = True

        def forward(self, bottom_blob, top_blob, opt):
            top_blob.clone_from(ncnn.Mat(np.array(bottom_blob) * 2), opt.blob_allocator)
            return 0 if not top_blob.empty() else -100

    made = []

    def create():
        made.append(Twice())
        return made[-1]

    net = ncnn.Net()
    net.register_custom_layer("Twice", create, lambda _layer: made.clear())
    assert net.load_param_mem("7767517\n2 2\nInput in 0 1 in\nTwice t 1 1 in out") == 0
    net.load_model_mem(b"")
    np.testing.assert_array_equal(run(net, np.arange(5.0)), np.arange(5.0) * 2)


def test_bad_networks():
    net = ncnn.Net()
    assert net.load_param_mem("1234567\n1 1\nInput in 0 1 in") != 0
    good = network("Input in 0 1 in\nReLU r 1 1 in out", [])
    with good.create_extractor() as extractor:
        assert extractor.extract("nothing")[0] != 0
