"""Contours of surfaces whose lines are known, in every serial algorithm, and C++ exceptions that become ValueError."""

import copy
import itertools
import pickle

import contourpy
import numpy as np
import pytest
from contourpy import FillType, LineType, ZInterp, _contourpy, contour_generator

NAMES = ["mpl2005", "mpl2014", "serial"]


def shoelace(points):
    x, y = points[:, 0], points[:, 1]
    return 0.5 * float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def circle_grid(count=101):
    axis = np.linspace(-1.0, 1.0, count)
    x, y = np.meshgrid(axis, axis)
    return x, y, np.hypot(x, y)


def test_c_extension_is_in_use():
    assert _contourpy.__file__.endswith((".so", ".pyd"))
    assert contourpy.__version__ == _contourpy.__version__
    assert isinstance(contour_generator(z=np.eye(3)), _contourpy.SerialContourGenerator)


@pytest.mark.parametrize("name", NAMES)
def test_straight_line(name):
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0))
    points, codes = contour_generator(x, y, x, name=name, line_type=LineType.SeparateCode).lines(1.25)
    assert len(points) == 1
    assert np.all(points[0][:, 0] == 1.25)
    assert sorted(points[0][:, 1]) == [0.0, 1.0, 2.0]
    assert codes[0].tolist() == [1, 2, 2]


@pytest.mark.parametrize("quad_as_tri", [False, True])
def test_circle_is_closed_round_and_oriented(quad_as_tri):
    lines = contour_generator(*circle_grid(), quad_as_tri=quad_as_tri).lines(0.5)
    assert len(lines) == 1
    points = lines[0]
    assert np.array_equal(points[0], points[-1])
    assert np.abs(np.hypot(points[:, 0], points[:, 1]) - 0.5).max() < 1e-3
    assert abs(shoelace(points)) == pytest.approx(np.pi / 4, rel=1e-3)


def test_ring_has_an_outer_line_and_a_hole():
    generator = contour_generator(*circle_grid(), fill_type=FillType.OuterOffset)
    points, offsets = generator.filled(0.25, 0.75)
    assert len(points) == 1
    assert offsets[0].dtype == np.uint32
    start, middle, end = offsets[0]
    outer, hole = points[0][start:middle], points[0][middle:end]
    assert shoelace(outer) == pytest.approx(np.pi * 0.75**2, rel=2e-3)
    assert shoelace(hole) == pytest.approx(-np.pi * 0.25**2, rel=5e-3)


@pytest.mark.parametrize("fill_type", list(FillType.__members__.values()))
def test_fill_types_cover_the_same_area(fill_type):
    x, y, z = circle_grid(41)
    generator = contour_generator(x, y, z, fill_type=fill_type)
    filled = generator.filled(0.3, 0.8)
    if fill_type in (FillType.OuterCode, FillType.ChunkCombinedCode):
        plain = getattr(FillType, fill_type.name.replace("Code", "Offset"))
        filled, fill_type = contourpy.convert_filled(filled, fill_type, plain), plain
    combined = fill_type in (FillType.ChunkCombinedOffsetOffset, FillType.ChunkCombinedCodeOffset)
    converted = contourpy.convert_filled(filled, fill_type, FillType.OuterOffset) if combined else filled
    area = sum(
        shoelace(points[a:b])
        for points, offsets in zip(*converted, strict=True)
        for a, b in itertools.pairwise(offsets)
    )
    assert area == pytest.approx(np.pi * (0.8**2 - 0.3**2), rel=1e-2)


def test_line_types_hold_the_same_points():
    x, y, z = circle_grid(31)
    separate = contour_generator(x, y, z, line_type=LineType.Separate).lines(0.6)
    points, codes = contour_generator(x, y, z, line_type=LineType.SeparateCode).lines(0.6)
    assert np.array_equal(points[0], separate[0])
    assert codes[0][0] == 1
    assert codes[0][-1] == 79
    assert np.all(codes[0][1:-1] == 2)
    points, offsets = contour_generator(x, y, z, line_type=LineType.ChunkCombinedOffset).lines(0.6)
    assert np.array_equal(points[0], separate[0])
    assert offsets[0].tolist() == [0, len(separate[0])]
    (nan_points,) = contour_generator(x, y, z, line_type=LineType.ChunkCombinedNan).lines(0.6)
    assert np.array_equal(nan_points[0], separate[0])


def test_mask_cuts_the_line():
    x, y = np.meshgrid(np.arange(5.0), np.arange(7.0))
    z = np.ma.array(x, mask=np.zeros(x.shape, dtype=bool))
    z[3, 2] = np.ma.masked
    lines = contour_generator(x, y, z, corner_mask=False).lines(1.5)
    assert sorted(sorted(line[:, 1].tolist()) for line in lines) == [[0.0, 1.0, 2.0], [4.0, 5.0, 6.0]]
    cornered = contour_generator(x, y, z, corner_mask=True).lines(1.5)
    assert sorted(sorted(line[:, 1].tolist()) for line in cornered) == [[0.0, 1.0, 2.0, 2.5], [3.5, 4.0, 5.0, 6.0]]


def test_nan_is_masked():
    z = np.array([[0.0, 1.0, 2.0], [0.0, np.nan, 2.0], [0.0, 1.0, 2.0]])
    lines = contour_generator(z=z, corner_mask=False).lines(0.5)
    assert lines == []


def test_chunks_split_but_keep_the_area():
    x, y, z = circle_grid(61)
    whole = contour_generator(x, y, z, fill_type=FillType.ChunkCombinedOffset)
    parts = contour_generator(x, y, z, fill_type=FillType.ChunkCombinedOffset, chunk_count=(3, 2))
    assert whole.chunk_count == (1, 1)
    assert parts.chunk_count == (3, 2)

    def area(filled):
        return sum(
            shoelace(points[a:b])
            for points, offsets in zip(*filled, strict=True)
            if points is not None
            for a, b in itertools.pairwise(offsets)
        )

    assert len(parts.filled(0.2, 0.9)[0]) == 6
    assert area(parts.filled(0.2, 0.9)) == pytest.approx(area(whole.filled(0.2, 0.9)), rel=1e-12)


def test_log_interpolation():
    z = np.array([[1.0, 100.0], [1.0, 100.0]])
    assert contour_generator(z=z, z_interp=ZInterp.Log).lines(10.0)[0][:, 0] == pytest.approx([0.5, 0.5])
    assert contour_generator(z=z).lines(10.0)[0][:, 0] == pytest.approx([1 / 11, 1 / 11])
    with pytest.raises(ValueError, match="positive"):
        contour_generator(z=-z, z_interp=ZInterp.Log)


def test_saddle_quad_follows_its_centre():
    z = np.array([[1.0, 0.0], [0.0, 1.0]])
    for level in (0.4, 0.6):
        lines = contour_generator(z=z).lines(level)
        assert len(lines) == 2
        assert all(line.shape == (2, 2) for line in lines)
        near_low_corner = any(np.allclose(line.mean(axis=0), (1 - level / 2, level / 2)) for line in lines)
        assert near_low_corner is (level < 0.5)


def test_cpp_exceptions_become_value_errors():
    x, y, z = circle_grid(11)
    serial = _contourpy.SerialContourGenerator
    options = {"line_type": LineType.Separate, "fill_type": FillType.OuterCode, "quad_as_tri": False}
    common = {"z_interp": ZInterp.Linear, "x_chunk_size": 0, "y_chunk_size": 0, "corner_mask": False}
    no_mask = np.ma.nomask
    for _ in range(100):
        with pytest.raises(ValueError, match="shape"):
            serial(x[1:], y, z, no_mask, **options, **common)
        with pytest.raises(ValueError, match="2D"):
            serial(x[0], y[0], z[0], no_mask, **options, **common)
    with pytest.raises(ValueError, match="2x2"):
        serial(x[:1], y[:1], z[:1], no_mask, **options, **common)
    with pytest.raises(ValueError, match="chunk"):
        serial(x, y, z, no_mask, **options, **(common | {"x_chunk_size": -1}))


def test_levels_must_increase():
    generator = contour_generator(*circle_grid(11))
    with pytest.raises(ValueError, match="upper"):
        generator.filled(0.5, 0.5)
    with pytest.raises(ValueError, match="NaN"):
        generator.filled(0.1, np.nan)


def test_a_level_outside_the_data_gives_nothing():
    generator = contour_generator(*circle_grid(11), fill_type=FillType.OuterCode)
    assert generator.lines(5.0) == []
    assert generator.filled(5.0, 6.0) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_algorithms_agree_on_a_wavy_surface(name):
    x, y = np.meshgrid(np.linspace(0, 3, 60), np.linspace(0, 2, 40))
    z = np.sin(3 * x) * np.cos(4 * y)
    expected = contour_generator(x, y, z, line_type=LineType.SeparateCode).lines(0.3)
    lines = contour_generator(x, y, z, name=name, line_type=LineType.SeparateCode).lines(0.3)

    def total_length(points):
        return sum(float(np.hypot(*np.diff(p, axis=0).T).sum()) for p in points)

    assert len(lines[0]) == len(expected[0])
    assert total_length(lines[0]) == pytest.approx(total_length(expected[0]), rel=1e-9)


def test_a_large_grid():
    x, y, z = circle_grid(801)
    lines = contour_generator(x, y, z).multi_lines(np.linspace(0.1, 0.9, 9))
    for level, line in zip(np.linspace(0.1, 0.9, 9), lines, strict=True):
        assert abs(shoelace(line[0])) == pytest.approx(np.pi * level**2, rel=1e-3)


@pytest.mark.parametrize("name", [*NAMES, "threaded"])
def test_every_generator_by_itself(name):
    # The plane z = x: lines stand upright, and what is between them is a strip.
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0))
    kinds = {"line_type": LineType.SeparateCode, "fill_type": FillType.OuterCode}
    threads = {"thread_count": 1} if name == "threaded" else {}
    generator = contour_generator(x, y, x, name=name, chunk_size=2, **kinds, **threads)
    assert isinstance(generator, getattr(_contourpy, f"{name.capitalize()}ContourGenerator"))
    assert isinstance(generator, _contourpy.ContourGenerator)
    assert (generator.chunk_count, generator.chunk_size) == ((1, 2), (2, 2))
    assert (generator.fill_type, generator.line_type) == (FillType.OuterCode, LineType.SeparateCode)
    assert (generator.z_interp, generator.quad_as_tri, generator.thread_count) == (ZInterp.Linear, False, 1)
    assert generator.supports_threads() is (name == "threaded")
    by_level = generator.multi_lines([0.5, 2.5])
    assert [points[0][:, 0].tolist() for points, _ in by_level] == [[0.5] * 3, [2.5] * 3]
    for (points, codes), (again, codes_again) in zip(by_level, map(generator.create_contour, (0.5, 2.5)), strict=True):
        assert np.array_equal(points, again)
        assert np.array_equal(codes, codes_again)
    (points, codes), (rest, _) = generator.multi_filled([0.5, 1.5, 2.5])
    assert sum(shoelace(each) for each in points) == sum(shoelace(each) for each in rest) == 2
    assert all((each[0], each[-1], set(each[1:-1].tolist())) == (1, 79, {2}) for each in codes)
    assert sum(shoelace(each) for each in generator.create_filled_contour(-np.inf, np.inf)[0]) == 6


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("value", [FillType.ChunkCombinedOffsetOffset, LineType.ChunkCombinedNan, ZInterp.Log])
def test_copies_of_the_kinds(value, again):
    other = again(value)
    assert type(other) is type(value)
    assert (other, other.name, int(other)) == (value, value.name, int(value))
    assert _contourpy.SerialContourGenerator.supports_fill_type(again(FillType.OuterCode))


def test_generators_cannot_be_pickled():
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(contour_generator(z=np.eye(3)))


@pytest.mark.parametrize("name", [*NAMES, "threaded"])
def test_errors_of_every_generator(name):
    generator = contour_generator(z=np.eye(3), name=name, **({"thread_count": 1} if name == "threaded" else {}))
    for _ in range(20):
        with pytest.raises(ValueError, match="upper"):
            generator.filled(2, 1)
        with pytest.raises(ValueError, match="Levels array must be 1D not 2D"):
            generator.multi_lines([[0.5]])
        with pytest.raises(ValueError, match="at least 2"):
            generator.multi_filled([0.5])
        with pytest.raises(TypeError, match="incompatible function arguments"):
            generator.lines("high")
    assert len(generator.lines(0.5)[0]) > 0


def test_misuse_is_a_python_error():
    with pytest.raises(TypeError, match="No constructor defined"):
        _contourpy.ContourGenerator()
    with pytest.raises(ValueError, match="not a valid FillType"):
        contourpy.as_fill_type("Nothing")
    with pytest.raises(ValueError, match="does not support"):
        contour_generator(z=np.eye(3), name="mpl2005", line_type=LineType.Separate)
    assert FillType(int(FillType.OuterOffset)) == FillType.OuterOffset
    with pytest.raises(TypeError):
        _contourpy.SerialContourGenerator.supports_fill_type(LineType.Separate)


def test_an_error_of_the_data_arrives_unchanged():
    class OwnError(Exception):
        pass

    class Data:
        def __array__(self, *_arguments, **_options):
            raise OwnError("from Python")

    with pytest.raises(OwnError, match="from Python"):
        contour_generator(z=Data())
