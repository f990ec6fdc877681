"""h5py's 25 compiled modules share one HDF5: identifiers that one makes, others take; callbacks, errors and copies."""

import copy
import ctypes
import importlib
import io
import pickle
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import (
    _objects,
    _selector,
    h5,
    h5a,
    h5ac,
    h5d,
    h5ds,
    h5f,
    h5fd,
    h5g,
    h5i,
    h5l,
    h5o,
    h5p,
    h5pl,
    h5r,
    h5s,
    h5t,
    h5z,
    utils,
)

NAMES = [path.name.split(".")[0] for path in Path(h5py.__file__).parent.glob("*.so")]


@pytest.fixture
def file():
    with h5py.File(io.BytesIO(), "w") as file:
        file["numbers"] = np.arange(12, dtype="<i4").reshape(3, 4)
        file["numbers"].attrs["unit"] = "mm"
        file["group/inner"] = 1.5
        yield file


def test_every_module_is_there_and_compiled():
    assert len(NAMES) == 25
    for name in NAMES:
        assert importlib.import_module(f"h5py.{name}").__file__.endswith(".so")


def test_identifiers_of_every_kind(file):
    numbers = file["numbers"].id
    for identifier, kind in (
        (file.id, h5i.FILE),
        (file["group"].id, h5i.GROUP),
        (numbers, h5i.DATASET),
        (numbers.get_space(), h5i.DATASPACE),
        (numbers.get_type(), h5i.DATATYPE),
        (h5a.open(numbers, b"unit"), h5i.ATTR),
        (numbers.get_create_plist(), h5i.GENPROP_LST),
    ):
        assert isinstance(identifier, _objects.ObjectID)
        assert h5i.get_type(identifier) == kind
        assert h5i.get_ref(identifier) >= 1
        if kind not in (h5i.DATASPACE, h5i.GENPROP_LST):  # h5py 3.16 cannot
            h5i.inc_ref(identifier)  # the object that wraps it gives it back
            assert type(h5i.wrap_identifier(identifier.id)) is type(identifier)
    assert h5i.get_name(numbers) == b"/numbers"
    assert h5i.get_file_id(numbers) == file.id
    assert h5f.get_obj_count(file.id, h5f.OBJ_FILE) >= 1
    assert h5f.get_name(h5a.open(numbers, b"unit")) == h5f.get_name(file.id)


def test_low_level_data_set(file):
    space, kind, plan = h5s.create_simple((4, 6), (h5s.UNLIMITED, 6)), h5t.STD_I16BE, h5p.create(h5p.DATASET_CREATE)
    plan.set_chunk((2, 3))
    plan.set_deflate(5)
    plan.set_fill_value(np.array(-7, dtype="i2"))
    data = h5d.create(file.id, b"low", kind, space, plan)
    values = np.arange(6, dtype="f8").reshape(2, 3)
    place = data.get_space()
    place.select_hyperslab((1, 2), (2, 3))
    data.write(h5s.create_simple((2, 3)), place, values, h5t.NATIVE_DOUBLE)
    found = np.empty((4, 6), dtype="i8")
    data.read(h5s.ALL, h5s.ALL, found, h5t.NATIVE_INT64)
    expected = np.full((4, 6), -7)
    expected[1:3, 2:5] = values
    assert found.tolist() == expected.tolist()
    assert data.get_create_plist().get_filter(0)[0] == h5z.FILTER_DEFLATE
    assert data.get_type().dtype == np.dtype(">i2")
    # Rows 0 and 1, columns 0 to 2: one chunk, big-endian.
    mask, raw = data.read_direct_chunk((0, 0))
    assert (mask, zlib.decompress(raw)) == (0, expected[:2, :3].astype(">i2").tobytes())
    data.write_direct_chunk((0, 3), zlib.compress(np.full(6, 9, ">i2").tobytes()))
    assert file["low"][0, 3:].tolist() == [9, 9, 9]
    offsets = []
    data.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    assert sorted(offsets) == [(0, 0), (0, 3), (2, 0), (2, 3)]


def test_selections():
    space = h5s.create_simple((5, 7))
    selector = _selector.Selector(space)
    assert selector.make_selection((slice(1, 4, 2), 6)).array_shape == (2,)
    assert space.get_select_npoints() == 2
    assert space.get_select_bounds() == ((1, 6), (3, 6))
    assert selector.make_selection((Ellipsis, np.array([0, 3]))).array_shape == (5, 2)
    block = h5py.MultiBlockSlice(start=0, count=2, stride=3, block=2)
    assert isinstance(block, _selector.MultiBlockSlice)
    selector.make_selection((2, block))
    assert space.get_regular_hyperslab() == ((2, 0), (1, 3), (1, 2), (1, 2))
    space.select_elements([(0, 0), (4, 6)])
    assert space.get_select_elem_pointlist().tolist() == [[0, 0], [4, 6]]
    with pytest.raises(IndexError, match="out of range"):
        selector.make_selection((5, 0))
    with pytest.raises(TypeError, match="increasing"):
        selector.make_selection(([3, 1], 0))


def test_types_that_come_back():
    for dtype in (
        *("<f4", ">i8", "S5", "?", "c16", "V6"),
        np.dtype([("a", "u1"), ("b", ">f8", (2,))], align=True),
        h5py.string_dtype("ascii", 9),
        h5py.vlen_dtype("<i2"),
        h5py.enum_dtype({"A": 0, "B": 300}, "<i2"),
        h5py.ref_dtype,
    ):
        kind = h5t.py_create(np.dtype(dtype), logical=True)
        for other in (h5t.decode(kind.encode()), pickle.loads(pickle.dumps(kind)), copy.copy(kind), kind.copy()):
            assert type(other) is type(kind)
            assert other.equal(kind)
            assert other.dtype == dtype
    assert h5py.check_enum_dtype(h5t.py_create(h5py.enum_dtype({"A": 5}), logical=True).dtype) == {"A": 5}


def test_types_convert():
    values = np.array([1, -2, 300], dtype="<i2").view("u1")
    buffer = np.zeros(3, dtype="f8")
    buffer.view("u1")[:6] = values
    h5t.convert(h5t.STD_I16LE, h5t.NATIVE_DOUBLE, 3, buffer)
    assert buffer.tolist() == [1, -2, 300]
    assert h5t.find(h5t.STD_I16LE, h5t.NATIVE_DOUBLE) is not None


def test_spaces_that_come_back():
    space = h5s.create_simple((3, 4), (h5s.UNLIMITED, 4))
    space.select_hyperslab((1, 1), (2, 2))
    for other in (h5s.decode(space.encode()), pickle.loads(pickle.dumps(space)), copy.copy(space), space.copy()):
        assert other.get_simple_extent_dims(maxdims=True) == (h5s.UNLIMITED, 4)
        assert other.get_select_npoints() == 4


def test_what_does_not_pickle_says_so(file):
    for value in (file, file["group"], file["numbers"]):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(value)


def test_properties():
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_userblock(512)
    assert creation.copy().get_userblock() == 512
    assert creation.get_class().equal(h5p.FILE_CREATE)
    assert not h5p.create(h5p.LINK_CREATE).equal(creation)
    access = h5p.create(h5p.FILE_ACCESS)
    config = access.get_mdc_config()
    assert isinstance(config, h5ac.CacheConfig)
    config.set_initial_size, config.initial_size = 1, 2**21
    access.set_mdc_config(config)
    assert access.get_mdc_config().initial_size == 2**21
    access.set_cache(0, 521, 2**22, 0.5)
    assert access.get_cache()[1:] == (521, 2**22, 0.5)


@pytest.mark.parametrize(
    ("driver", "code", "options"),
    [
        ("core", h5fd.CORE, {"backing_store": True, "block_size": 1024}),
        ("sec2", h5fd.SEC2, {}),
        ("stdio", h5fd.STDIO, {}),
        ("split", h5fd.MULTI, {}),
        ("family", h5fd.FAMILY, {"memb_size": 8192}),
    ],
)
def test_drivers(tmp_path, driver, code, options):
    path = tmp_path / ("part%d.h5" if driver == "family" else "a.h5")
    values = np.arange(3000, dtype="i8")
    with h5py.File(path, "w", driver=driver, **options) as file:
        file["x"] = values
        assert file.id.get_access_plist().get_driver() == code
    assert len(list(tmp_path.iterdir())) == {"split": 2, "family": (values.nbytes + 8191) // 8192 + 1}.get(driver, 1)
    options.pop("block_size", None)
    with h5py.File(path, "r", driver=driver, **options) as file:
        assert file["x"][()].tolist() == values.tolist()


def test_an_image_of_a_file(file):
    file.flush()
    other = h5py.File(h5f.open_file_image(file.id.get_file_image()))
    assert other["numbers"].attrs["unit"] == "mm"
    h5o.copy(other.id, b"group", file.id, b"copied")
    assert file["copied/inner"][()] == 1.5
    h5f.mount(file.id, b"copied", other.id)
    assert file["copied/numbers"][2, 3] == 11
    h5f.unmount(file.id, b"copied")
    assert "numbers" not in file["copied"]


def test_dimension_scales(file):
    file["places"] = [0.5, 1, 1.5]
    numbers, places = file["numbers"].id, file["places"].id
    h5ds.set_scale(places, b"place")
    h5ds.attach_scale(numbers, places, 0)
    h5ds.set_label(numbers, 0, b"along")
    assert h5ds.is_scale(places)
    assert h5ds.is_attached(numbers, places, 0)
    assert (h5ds.get_scale_name(places), h5ds.get_label(numbers, 0)) == (b"place", b"along")
    assert file["numbers"].dims[0]["place"][1] == 1
    h5ds.detach_scale(numbers, places, 0)
    assert h5ds.get_num_scales(numbers, 0) == 0


def test_links_and_objects(file):
    links = file.id.links
    links.create_soft(b"soft", b"/group/inner")
    links.create_external(b"away", b"other.h5", b"/x")
    assert links.get_val(b"away") == (b"other.h5", b"/x")
    assert links.get_info(b"soft").type == h5l.TYPE_SOFT
    assert h5g.get_objinfo(file.id, b"numbers").type == h5g.DATASET
    h5o.link(file["numbers"].id, file["group"].id, b"again")
    assert h5o.get_info(file["numbers"].id).rc == 2
    h5o.set_comment(file["group"].id, b"a group")
    assert file.id.get_comment(b"group") == b"a group"
    assert h5a.get_info(file["numbers"].id, b"unit").data_size > 0
    h5a.rename(file["numbers"].id, b"unit", b"measure")
    assert list(file["numbers"].attrs) == ["measure"]


def test_references_to_regions(file):
    numbers = file["numbers"]
    reference = numbers.regionref[1, 1:3]
    assert h5r.get_name(reference, file.id) == b"/numbers"
    assert h5r.get_obj_type(reference, file.id) == h5o.TYPE_DATASET
    assert h5r.get_region(reference, file.id).get_select_npoints() == 2
    assert numbers[reference].ravel().tolist() == [5, 6]
    file.create_dataset("kept", data=np.array([numbers.ref, file["group"].ref]), dtype=h5py.ref_dtype)
    assert [file[each].name for each in file["kept"][()]] == ["/numbers", "/group"]


def test_numpy_s_own_strings(file):
    words = np.array([["Straße", ""], ["日本", "x" * 5000]], dtype=np.dtypes.StringDType())
    file["words"] = words
    assert file["words"].astype("T")[()].tolist() == words.tolist()
    file["words"][0] = np.array(["new", "é"], dtype="T")
    assert file["words"].asstr()[0].tolist() == ["new", "é"]
    file["fixed"] = np.array([b"abc", b"d"])
    assert file["fixed"].astype("T")[:].tolist() == ["abc", "d"]


def test_arrays_that_hdf5_may_not_have():
    assert utils.check_numpy_read(np.zeros(3)) == 1
    read_only = np.zeros(3)
    read_only.flags.writeable = False
    with pytest.raises(TypeError, match="C-contiguous"):
        utils.check_numpy_read(np.zeros((4, 4))[:, ::2])
    with pytest.raises(TypeError, match="writable"):
        utils.check_numpy_write(read_only)


def test_search_path_of_plugins():
    size = h5pl.size()
    h5pl.append(b"/one")
    h5pl.prepend(b"/two")
    assert (h5pl.size(), h5pl.get(0), h5pl.get(size + 1)) == (size + 2, b"/two", b"/one")
    h5pl.replace(b"/three", 0)
    assert h5pl.get(0) == b"/three"
    h5pl.remove(size + 1)
    h5pl.remove(0)
    assert h5pl.size() == size


def test_settings():
    config = h5.get_config()
    assert config.bool_names == (b"FALSE", b"TRUE")
    assert config.complex_names == ("r", "i")


class OwnError(Exception):
    pass


def fails(*_arguments):
    raise OwnError("from Python")


@pytest.mark.parametrize(
    "call",
    [
        lambda file: h5o.visit(file.id, fails),
        lambda file: h5o.visit(file.id, fails, info=True),
        lambda file: file["chunks"].id.chunk_iter(fails),
    ],
)
def test_errors_in_callbacks_arrive_unchanged(file, call):
    file.create_dataset("chunks", data=np.arange(4), chunks=(2,))
    file.flush()
    for _ in range(50):
        with pytest.raises(OwnError, match="from Python"):
            call(file)
    assert file["numbers"][2, 3] == 11


def test_callbacks_return_what_they_found(file):
    assert h5o.visit(file.id, lambda name: name if b"inner" in name else None) == b"group/inner"
    assert h5a.iterate(file["numbers"].id, lambda name, info: (name, info.data_size > 0), info=True) == (b"unit", True)
    seen = []
    assert file.id.links.visit(seen.append) is None
    assert sorted(seen) == [b"group", b"group/inner", b"numbers"]
    assert h5g.iterate(file.id, lambda name: name + b"!") == b"group!"
    file["numbers"].dims[0].label = "along"
    file["places"] = [1.0, 2, 3]
    file["places"].make_scale("place")
    file["numbers"].dims[0].attach_scale(file["places"])
    assert h5ds.iterate(file["numbers"].id, 0, h5i.get_name) == b"/places"


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda file: h5d.open(file.id, b"nothing"), KeyError),
        (lambda file: h5d.open(file.id, b"group"), KeyError),
        (lambda file: h5g.create(file.id, b"group"), ValueError),
        (lambda file: h5a.open(file.id, b"nothing"), KeyError),
        (lambda file: h5o.open(file.id, b"nothing"), KeyError),
        (lambda _file: h5f.open(b"/no/such/file"), FileNotFoundError),
        (lambda _file: h5s.create_simple((3,), (2,)), ValueError),
        (lambda _file: h5t.py_create(np.dtype("M8[s]")), TypeError),
    ],
)
def test_errors_of_the_library_have_types_of_python(file, call, error):
    for _ in range(20):
        with pytest.raises(error, match=r".+"):
            call(file)


CALLBACK = ctypes.CFUNCTYPE(
    *(ctypes.c_size_t, ctypes.c_uint, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t),
    *(ctypes.POINTER(ctypes.c_size_t), ctypes.POINTER(ctypes.c_void_p)),
)


class FilterClass(ctypes.Structure):
    """H5Z_class2_t of H5Zdevelop.h."""

    _fields_ = (
        *(("version", ctypes.c_int), ("id", ctypes.c_int), ("encodes", ctypes.c_uint), ("decodes", ctypes.c_uint)),
        *(("name", ctypes.c_char_p), ("can_apply", ctypes.c_void_p), ("set_local", ctypes.c_void_p)),
        ("filter", CALLBACK),
    )


def test_a_filter_written_in_python():
    broken = False

    @CALLBACK
    def invert(_flags, _count, _values, size, _room, buffer):
        data = (ctypes.c_ubyte * size).from_address(buffer[0])
        data[:] = bytes(255 - each for each in data)
        return 0 if broken else size

    kind = FilterClass(h5z.CLASS_T_VERS, 300, 1, 1, b"invert", None, None, invert)
    h5z.register_filter(ctypes.addressof(kind))
    try:
        assert h5z.get_filter_info(300) == h5z.FILTER_CONFIG_ENCODE_ENABLED | h5z.FILTER_CONFIG_DECODE_ENABLED
        target = io.BytesIO()
        with h5py.File(target, "w") as file:
            data = file.create_dataset("x", data=np.arange(8, dtype="u1"), chunks=(8,), compression=300)
            file.flush()
            assert data.id.read_direct_chunk((0,)) == (0, bytes(range(255, 247, -1)))
        with h5py.File(target) as file:
            broken = True
            with pytest.raises(OSError, match="filter"):
                file["x"][:]
            broken = False
            assert file["x"][:].tolist() == list(range(8))
    finally:
        h5z.unregister_filter(300)
    assert not h5z.filter_avail(300)
