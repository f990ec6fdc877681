"""h5py on HDF5: files that are read back, the sizes of types, filters, callbacks from C, errors of the library."""

import io

import h5py
import numpy as np
import pytest
from h5py import _errors, h5, h5d, h5f, h5s, h5t, h5z


def test_c_extensions_are_in_use():
    for module in (h5, h5d, h5t, _errors):
        assert module.__file__.endswith((".so", ".pyd"))
    assert h5.get_libversion() == (1, 14, 6)


def test_native_types_have_the_sizes_of_the_platform():
    # The library is told these sizes when it is built; a wrong one reads and writes past the end.
    for size in (8, 16, 32, 64):
        assert getattr(h5t, f"NATIVE_INT{size}").get_size() == size // 8
    assert h5t.NATIVE_FLOAT.get_size() == 4
    assert h5t.NATIVE_DOUBLE.get_size() == 8
    assert h5t.NATIVE_LDOUBLE.get_size() == np.dtype("g").itemsize
    assert h5t.NATIVE_LDOUBLE.get_precision() > h5t.NATIVE_DOUBLE.get_precision()
    assert h5s.create_simple((2**33,)).get_simple_extent_npoints() == 2**33


TYPES = [
    "i1",
    "u1",
    "<i2",
    ">i2",
    "<u4",
    ">u4",
    "<i8",
    ">u8",
    "<f2",
    "<f4",
    ">f4",
    "<f8",
    ">f8",
    "c8",
    "c16",
    "?",
    "S7",
]


@pytest.mark.parametrize("dtype", TYPES)
def test_round_trip(tmp_path, dtype):
    values = (np.arange(-60, 60).reshape(3, 5, 8) * 7).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = values
    assert (tmp_path / "a.h5").read_bytes()[:8] == b"\x89HDF\r\n\x1a\n"
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["x"].dtype == values.dtype
        assert np.array_equal(file["x"][()], values)
        assert np.array_equal(file["x"][1, ::2, 3:7], values[1, ::2, 3:7])


def test_conversion_between_types(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["wide"] = np.array([0, 1, -1, 2**40, -(2**63), 2**63 - 1])
        assert file["wide"].astype("f8")[3] == 2.0**40
        assert file["wide"].astype("i4")[:].tolist() == [0, 1, -1, 2**31 - 1, -(2**31), 2**31 - 1]  # HDF5 clips
        file["real"] = np.array([1.5, -2.5, 1e300, np.inf])
        assert file["real"].astype("f4")[:].tolist() == [1.5, -2.5, np.inf, np.inf]
        assert file["real"].astype("i8")[:2].tolist() == [1, -2]
        assert file["real"].astype(np.longdouble)[0] == 1.5


@pytest.mark.parametrize("options", [{"compression": "gzip", "compression_opts": 9}, {"compression": "lzf"}])
@pytest.mark.parametrize("shuffle", [False, True])
def test_filters(options, shuffle):
    values = np.tile(np.arange(1000, dtype="i4"), 100).reshape(100, 1000)
    with h5py.File(io.BytesIO(), "w") as file:
        data = file.create_dataset("x", data=values, chunks=(10, 1000), shuffle=shuffle, fletcher32=True, **options)
        file.flush()
        assert data.id.get_storage_size() < values.nbytes / 2
        assert np.array_equal(data[...], values)
    assert h5z.filter_avail(h5z.FILTER_DEFLATE)
    assert h5z.filter_avail(h5z.FILTER_FLETCHER32)


def test_damage_is_found_by_the_checksum(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.full(1000, 0x55, "u1"), chunks=(1000,), fletcher32=True)
    data = bytearray(path.read_bytes())
    data[data.index(b"\x55" * 100) + 50] ^= 1
    path.write_bytes(data)
    with h5py.File(path) as file, pytest.raises(OSError, match=r"checksum|Can't"):
        file["x"][()]


def test_groups_attributes_links(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        group = file.create_group("one/two/three", track_order=True)
        group.attrs["unit"] = "mm"
        group.attrs["range"] = np.arange(3.0)
        file["soft"] = h5py.SoftLink("/one/two")
        file["hard"] = group
        for name in "zebra", "ant", "mouse":
            group.create_group(name)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["soft/three"].attrs["unit"] == "mm"
        assert list(file["hard"]) == ["zebra", "ant", "mouse"]
        names = []
        file.visititems(lambda name, item: names.append((name, type(item).__name__)))  # H5Ovisit calls back
        assert ("hard/ant", "Group") in names
        with pytest.raises(LookupError, match="stop"):
            file.visit(lambda name: (_ for _ in ()).throw(LookupError("stop " + name)))
        assert "nothing" not in file
        with pytest.raises(KeyError, match="doesn't exist"):
            file["nothing"]


def test_strings_compounds_and_references(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["words"] = ["Straße", "", "日本", "x" * 1000]
        assert file["words"].asstr()[:].tolist() == ["Straße", "", "日本", "x" * 1000]
        table = np.array([(1, 2.5, b"ab"), (2**40, -1e-300, b"c")], dtype=[("n", "i8"), ("v", ">f8"), ("s", "S3")])
        file["table"] = table
        assert np.array_equal(file["table"][()], table)
        assert file["table"]["v"].tolist() == [2.5, -1e-300]
        ragged = file.create_dataset("ragged", (2,), dtype=h5py.vlen_dtype("i4"))
        ragged[0], ragged[1] = [1, 2, 3], [4]
        assert [row.tolist() for row in ragged[:]] == [[1, 2, 3], [4]]
        file.attrs["to"] = file["table"].ref
        assert file[file.attrs["to"]].name == "/table"
        colours = h5py.enum_dtype({"RED": 0, "BLUE": 7}, basetype="u1")
        file.create_dataset("colours", data=[7, 0], dtype=colours)
        assert h5py.check_enum_dtype(file["colours"].dtype) == {"RED": 0, "BLUE": 7}


def test_resizing_and_selections(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", (10, 10), maxshape=(None, 10), chunks=True, fillvalue=-3, dtype="i2")
        data.resize((20, 10))
        data[15] = np.arange(10)
        assert data[19, 9] == -3
        assert data[15, [1, 5, 7]].tolist() == [1, 5, 7]
        assert data[data[()] > 7].tolist() == [8, 9]


def test_files_of_python_are_called_from_c():
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file["x"] = np.arange(10_000)
    with h5py.File(io.BytesIO(target.getvalue())) as file:
        assert file["x"][-1] == 9999

    class Broken(io.BytesIO):
        def readinto(self, _buffer):
            raise LookupError("from Python")

    with pytest.raises((LookupError, OSError), match=r".+"):
        h5py.File(Broken(target.getvalue()))


def test_file_beyond_4_gib_is_sparse(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", (2**33,), chunks=(1024,), dtype="u1")
        data[2**33 - 1] = 77
        assert data[2**33 - 2 :].tolist() == [0, 77]
        assert data.size == 2**33


def test_errors(tmp_path):
    (tmp_path / "no.h5").write_bytes(b"this is no HDF5 file" * 100)
    with pytest.raises(OSError, match="file signature not found"):
        h5py.File(tmp_path / "no.h5")
    with pytest.raises(FileNotFoundError):
        h5py.File(tmp_path / "missing.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
        file["y"] = [1, 2, 3]
        with pytest.raises(ValueError, match="name already exists"):
            file.create_dataset("x", data=2)
        with pytest.raises(IndexError, match="out of range"):
            file["y"][5]
    assert not h5f.is_hdf5(str(tmp_path / "no.h5").encode())
