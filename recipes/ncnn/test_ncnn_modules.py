"""ncnn's C++ types hand each other matrices, weights and allocators; what Python overrides is called, errors cross."""

import copy
import ctypes
import pickle

import ncnn
import numpy as np
import pytest
from ncnn import ncnn as module

AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
PARAMETERS = "7767517\n2 2\nInput in 0 1 in\nInnerProduct p 1 1 in out 0=2 1=1 2=6\n"
WEIGHTS = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
BIAS = np.array([0.5, -0.5], np.float32)
MODEL = b"\0\0\0\0" + WEIGHTS.tobytes() + BIAS.tobytes()  # the first word says that 32-bit floats come


class OwnError(Exception):
    pass


def fails(*_arguments):
    raise OwnError("from Python")


def floats(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def mat(array):
    """Return a matrix with memory of its own: one of an array does not keep it."""
    return ncnn.Mat(np.ascontiguousarray(array, np.float32)).clone()


def exact():
    option = ncnn.Option()
    option.use_fp16_packed = option.use_fp16_storage = option.use_fp16_arithmetic = False
    option.use_bf16_storage = option.use_packing_layout = False
    return option


def network(parameters=PARAMETERS, model=MODEL):
    net = ncnn.Net()
    net.opt = exact()
    assert net.load_param_mem(parameters) == 0
    net.load_model_mem(model)
    return net


def run(net, values):
    with net.create_extractor() as extractor:
        assert extractor.input("in", mat(values)) == 0
        status, result = extractor.extract("out")
        assert status == 0
        return np.array(result)


def test_matrices():
    whole = mat(floats(4, 3, 5))
    assert (whole.dims, whole.w, whole.h, whole.c, whole.elemsize, whole.elempack) == (3, 5, 3, 4, 4, 1)
    assert whole.total() == whole.cstep * 4 >= 60
    assert whole.shape().c == 4
    np.testing.assert_array_equal(np.array(whole.channel(2)), floats(4, 3, 5)[2])
    np.testing.assert_array_equal(np.array(whole.channel_range(1, 2)), floats(4, 3, 5)[1:3])
    np.testing.assert_array_equal(np.array(whole.channel(1).row_range(1, 2)), floats(4, 3, 5)[1, 1:])
    np.testing.assert_array_equal(np.array(whole.reshape(60)), floats(60))
    np.testing.assert_array_equal(np.array(whole.reshape(15, 4)), floats(4, 15))
    np.testing.assert_array_equal(np.array(whole.reshape((5, 3, 2, 2))), floats(2, 2, 3, 5))
    volumes, line = mat(floats(2, 3, 4, 5)), mat(floats(3))
    np.testing.assert_array_equal(np.array(volumes.channel(1).depth_range(1, 2)), floats(2, 3, 4, 5)[1, 1:])
    np.testing.assert_array_equal(np.array(line.range(1, 2)), [1, 2])
    line[1] = 7
    assert (line[1], len(line), line.numpy().tolist()) == (7, 3, [0, 7, 2])
    assert ncnn.Mat(4, elemsize=1).numpy("b").dtype == np.int8
    assert line.refcount == 1
    other = ncnn.Mat(line)
    assert (other.refcount, line.refcount) == (2, 2)
    other.release()
    assert (other.empty(), line.refcount) == (True, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int8, np.uint8, np.float16])
def test_buffers_of_numpy(dtype):
    array = np.arange(6).astype(dtype).reshape(2, 3)
    matrix = ncnn.Mat(array)
    assert (matrix.w, matrix.h, matrix.elemsize) == (3, 2, array.itemsize)
    assert bytes(matrix.clone().numpy(array.dtype.char)) == array.tobytes()


CALLS = [
    (lambda: module.cast_float16_to_float32(module.cast_float32_to_float16(mat([0.5, -2, 65504]))), [0.5, -2, 65504]),
    (lambda: module.cast_bfloat16_to_float32(module.cast_float32_to_bfloat16(mat([0.5, 256, 1.25]))), [0.5, 256, 1.25]),
    (
        lambda: module.cast_int8_to_float32(module.quantize_to_int8(mat([1, -0.4, 99]), mat([2.0]))),
        [2, -1, 127],
    ),
    (lambda: module.flatten(mat(floats(2, 2, 2)), exact()), [0, 1, 2, 3, 4, 5, 6, 7]),
    (lambda: module.copy_make_border(mat([[1, 2]]), 0, 1, 1, 0, 0, 9.0), [[9, 1, 2], [9, 9, 9]]),
    (lambda: module.copy_make_border(mat([[1, 2, 3]]), 0, 0, 1, 2, 1, 0.0), [[1, 1, 2, 3, 3, 3]]),
    (lambda: module.copy_make_border(mat([[1, 2, 3]]), 0, 0, 1, 2, 2, 0.0), [[2, 1, 2, 3, 2, 1]]),
    (lambda: module.copy_cut_border(mat(floats(3, 3)), 1, 0, 0, 1), [[3, 4], [6, 7]]),
    (lambda: module.resize_nearest(mat([[[1, 2]]]), 4, 2), [[[1, 1, 2, 2]] * 2]),
    (lambda: module.resize_bilinear(mat([[0, 8]]), 4, 1), [[0, 2, 6, 8]]),
    (lambda: module.resize_bicubic(mat([[3, 3]]), 4, 1), [[3] * 4]),
    (lambda: module.convert_packing(module.convert_packing(mat(floats(8, 2, 2)), 4), 1), floats(8, 2, 2)),
]


@pytest.mark.parametrize(("call", "expected"), CALLS)
def test_functions(call, expected):
    np.testing.assert_allclose(np.array(call()), expected, atol=1e-5)


def test_a_layer_by_itself():
    assert module.layer_to_index("ReLU") >= 0
    assert module.layer_to_index("Nothing") == -1
    relu = module.create_layer(module.layer_to_index("ReLU"))
    values, slope = mat([-2, 0, 3]), ncnn.ParamDict()
    slope.set(0, 0.5)
    assert relu.load_param(slope) == relu.create_pipeline(exact()) == relu.forward_inplace(values, exact()) == 0
    assert np.array(values).tolist() == [-1, 0, 3]
    assert module.create_layer("Nothing") is None
    scale, count, factors = module.create_layer("Scale"), ncnn.ParamDict(), mat([2, 3, 4])
    count.set(0, 3)
    values = mat([-1, 10, 100])
    assert scale.load_param(count) == scale.load_model(module.ModelBinFromMatArray(factors)) == 0
    assert scale.create_pipeline(exact()) == scale.forward_inplace(values, exact()) == 0
    assert np.array(values).tolist() == [-2, 30, 400]
    assert scale.destroy_pipeline(exact()) == 0


def test_weights_of_a_layer_by_itself_come_from_python():
    class Weights(ncnn.ModelBin):
        def load(self, *arguments):
            asked.append(arguments)
            return factors

    asked, factors, count = [], mat([2, 3]), ncnn.ParamDict()
    count.set(0, 2)
    for weights in (Weights(), module.ModelBinFromDataReader(reader := Reader(np.float32([2, 3]).tobytes()))):
        scale, values = module.create_layer("Scale"), mat([1, 10])
        assert scale.load_param(count) == scale.load_model(weights) == scale.create_pipeline(exact()) == 0
        assert scale.forward_inplace(values, exact()) == 0
        assert np.array(values).tolist() == [2, 30]
    assert asked == [(2, 1)]
    assert reader.data == b""
    broken = type("Weights", (ncnn.ModelBin,), {"load": fails})()
    scale = module.create_layer("Scale")
    scale.load_param(count)
    for _ in range(5):
        with pytest.raises(OwnError, match="from Python"):
            scale.load_model(broken)


def test_parameters_of_every_kind():
    values = ncnn.ParamDict()
    values.set(0, 2**31 - 1)
    values.set(1, 0.5)
    values.set(2, mat([1, 2]))
    assert (values.get(0, 7), values.get(1, 0.25), values.get(9, 7), values.get(9, 0.25)) == (2**31 - 1, 0.5, 7, 0.25)
    assert np.array(values.get(2, ncnn.Mat())).tolist() == [1, 2]
    assert values.type(9) == 0
    assert len({values.type(key) for key in range(3)}) == 3


def test_networks_of_files(tmp_path):
    (tmp_path / "net.param").write_text(PARAMETERS)
    (tmp_path / "net.bin").write_bytes(MODEL)
    net = ncnn.Net()
    net.opt = exact()
    assert net.load_param(str(tmp_path / "net.param")) == net.load_model(str(tmp_path / "net.bin")) == 0
    assert run(net, [1, 10, 100]).tolist() == [321.5, 653.5]
    assert [(layer.type, layer.name) for layer in net.layers()] == [("Input", "in"), ("InnerProduct", "p")]
    assert [(blob.name, blob.producer, blob.consumer) for blob in net.blobs()] == [("in", 0, 1), ("out", 1, -1)]
    assert (net.input_names(), net.output_names(), net.input_indexes()) == (["in"], ["out"], [0])
    assert net.load_param(str(tmp_path / "nothing")) != 0


@pytest.mark.parametrize("kind", [module.PoolAllocator, module.UnlockedPoolAllocator])
def test_allocators(kind):
    blobs, work = kind(), kind()
    blobs.set_size_compare_ratio(0.5)
    address = blobs.fastMalloc(100)
    blobs.fastFree(address)
    held = ncnn.Mat(30, allocator=blobs)
    held.fill(2.0)
    assert held.allocator is blobs
    copied = held.clone(allocator=work)
    assert np.array(copied).sum() == 60
    net = network()
    with net.create_extractor() as extractor:
        extractor.set_blob_allocator(blobs)
        extractor.set_workspace_allocator(work)
        extractor.input("in", mat([1, 10, 100]))
        assert np.array(extractor.extract("out")[1]).tolist() == [321.5, 653.5]
    del held, copied, extractor
    blobs.clear()
    work.clear()


class Reader(ncnn.DataReader):
    """Gives the bytes of a model to C++, which passes the address where they belong."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def read(self, buffer, size):
        pointer = ctypes.pythonapi.PyCapsule_GetPointer
        pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
        part, self.data = self.data[:size], self.data[size:]
        ctypes.memmove(pointer(buffer, None), part, len(part))
        return len(part)


def test_weights_come_from_python():
    net = ncnn.Net()
    net.opt = exact()
    reader = Reader(MODEL)
    assert net.load_param_mem(PARAMETERS) == net.load_model(reader) == 0
    assert reader.data == b""
    assert run(net, [1, 10, 100]).tolist() == [321.5, 653.5]
    short = ncnn.Net()
    assert short.load_param_mem(PARAMETERS) == 0
    assert short.load_model(Reader(MODEL[:9])) != 0


def custom(**methods):
    """Return a loaded network of one layer that has ``methods``, and the layers that were made and not destroyed."""

    def initialise(self):
        ncnn.Layer.__init__(self)
        self.one_blob_only = True

    kind = type("Own", (ncnn.Layer,), {"__init__": initialise, **methods})
    net, made = ncnn.Net(), []

    def create():
        made.append(kind())
        return made[-1]

    net.opt = exact()
    net.register_custom_layer("Own", create, made.remove)
    return net, made


def test_a_layer_in_python_is_given_what_one_in_cpp_is():
    seen = {}

    def load_param(_, parameters):
        seen["count"], seen["factor"] = parameters.get(0, 0), parameters.get(1, 0.0)
        return 0

    def load_model(_, model):
        seen["weights"] = np.array(model.load(seen["count"], 1)).tolist()
        return 0

    def create_pipeline(_, option):
        seen["fp16"] = option.use_fp16_storage
        return 0

    def forward(_, bottom, top, option):
        top.clone_from(mat(np.array(bottom) * seen["factor"] + seen["weights"]), option.blob_allocator)
        return 0

    net, made = custom(load_param=load_param, load_model=load_model, create_pipeline=create_pipeline, forward=forward)
    assert net.load_param_mem("7767517\n2 2\nInput in 0 1 in\nOwn own 1 1 in out 0=3 1=1.5\n") == 0
    net.load_model_mem(WEIGHTS[0].tobytes())
    assert seen == {"count": 3, "factor": 1.5, "weights": [1, 2, 3], "fp16": False}
    assert run(net, [2, 4, 6]).tolist() == [4, 8, 12]
    assert len(made) == 1
    net.clear()
    assert made == []


def loaded_and_run(net):
    net.load_param_mem("7767517\n2 2\nInput in 0 1 in\nOwn own 1 1 in out\n")
    net.load_model_mem(b"")
    run(net, [1])


@pytest.mark.parametrize("method", ["forward", "load_param", "load_model", "create_pipeline"])
def test_an_error_in_a_layer_arrives_unchanged(method):
    for _ in range(5):
        net, _ = custom(**{"forward": lambda *_: 0, method: fails})
        with pytest.raises(OwnError, match="from Python"):
            loaded_and_run(net)


def test_an_error_in_a_reader_arrives_unchanged():
    for _ in range(5):
        net, reader = ncnn.Net(), type("Broken", (Reader,), {"read": fails})(b"")
        assert net.load_param_mem(PARAMETERS) == 0
        with pytest.raises(OwnError, match="from Python"):
            net.load_model(reader)


@pytest.mark.parametrize("again", AGAIN)
def test_copies(again):
    kind = module.BorderType.BORDER_REPLICATE
    assert (again(kind), type(again(kind))) == (kind, type(kind))
    for value in (ncnn.Net(), ncnn.Option(), ncnn.ParamDict(), mat([1])):
        with pytest.raises(TypeError, match="cannot pickle"):
            again(value)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ncnn.Mat(np.ones((1,) * 6, np.float32)), RuntimeError, "only dims <=4"),
        (lambda: ncnn.Mat((1,) * 6), RuntimeError, "1, 2, 3 or 4 dims, not 6"),
        (lambda: ncnn.Mat(np.ones(2)).numpy(), RuntimeError, "only elemsize 1, 2, 4"),
        (lambda: ncnn.Mat("text"), TypeError, "incompatible constructor arguments"),
        (lambda: mat([1, 2]).reshape("x"), TypeError, "incompatible function arguments"),
        (lambda: ncnn.Mat.from_pixels(3, 1, 1, 1), TypeError, "incompatible function arguments"),
        (lambda: ncnn.Net().load_param(3), TypeError, "incompatible function arguments"),
        (lambda: ncnn.Net().register_custom_layer("A", 3, None), TypeError, "incompatible function arguments"),
        (lambda: ncnn.ParamDict().set("x", 1), TypeError, "incompatible function arguments"),
        (lambda: module.ModelBinFromMatArray(1), TypeError, "incompatible constructor arguments"),
    ],
)
def test_errors_of_the_module(call, error, message):
    for _ in range(20):
        with pytest.raises(error, match=message):
            call()
