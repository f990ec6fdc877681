"""Shapely's compiled modules hand each other GEOS's objects: each calls it, and there must be one GEOS for all."""

import copy
import ctypes
import pickle

import numpy as np
import pytest
import shapely
from shapely import _geometry_helpers, _geos, lib
from shapely.geometry import (
    GeometryCollection,
    LinearRing,
    LineString,
    MultiLineString,
    MultiPoint,
    MultiPolygon,
    Point,
    Polygon,
    box,
)

HOLED = Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(1, 1), (1, 2), (2, 1)], [(5, 5), (5, 6), (6, 5)]])
GEOMETRIES = [
    Point(1, 2),
    Point(1, 2, 3),
    Point(),
    LineString([(0, 0), (1, 1)]),
    LinearRing([(0, 0), (0, 1), (1, 1)]),
    HOLED,
    MultiPoint([(0, 0), (1, 1)]),
    MultiLineString([[(0, 0), (1, 1)], [(2, 2), (3, 3)]]),
    MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)]),
    GeometryCollection([Point(0, 0), LineString([(0, 0), (1, 1)])]),
]


def test_every_module_is_compiled():
    for module in (lib, _geos, _geometry_helpers):
        assert module.__file__.endswith(".so")


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: geometry.geom_type)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda geometry: pickle.loads(pickle.dumps(geometry))])
def test_copies_are_of_the_same_kind(geometry, again):
    other = again(geometry)
    assert type(other) is type(geometry)
    assert shapely.equals_exact(other, geometry)
    assert other.geom_type == geometry.geom_type
    assert other.has_z == geometry.has_z


def test_a_ring_stays_a_ring():
    ring = pickle.loads(pickle.dumps(LinearRing([(0, 0), (0, 1), (1, 1)])))
    assert type(ring) is LinearRing
    assert shapely.get_coordinates(ring).tolist() == [[0, 0], [0, 1], [1, 1], [0, 0]]


def test_parts_that_one_module_takes_out_of_what_another_made():
    parts, index = shapely.get_parts([GEOMETRIES[8], GEOMETRIES[9], Point(7, 7)], return_index=True)
    assert index.tolist() == [0, 0, 1, 1, 2]
    assert [part.geom_type for part in parts] == ["Polygon", "Polygon", "Point", "LineString", "Point"]
    assert shapely.area(parts).tolist() == [1, 1, 0, 0, 0]
    assert shapely.union_all(parts[:2]).area == 2


def test_rings():
    rings, index = shapely.get_rings([HOLED, box(0, 0, 1, 1)], return_index=True)
    assert index.tolist() == [0, 0, 0, 1]
    assert [shapely.get_num_points(ring) for ring in rings] == [5, 4, 4, 5]
    assert all(type(ring) is LinearRing for ring in rings)
    (circle,) = shapely.get_rings(Point(0, 0).buffer(1))
    assert shapely.polygons(circle).area == pytest.approx(np.pi, rel=1e-2)


def test_collections_that_the_helpers_make_of_the_library_s_objects():
    points = shapely.points([(0, 0), (1, 1), (2, 2)])
    collections = shapely.multipoints(points, indices=[0, 0, 1])
    assert [each.geom_type for each in collections] == ["MultiPoint", "MultiPoint"]
    assert shapely.get_coordinates(collections).tolist() == [[0, 0], [1, 1], [2, 2]]
    polygons = shapely.multipolygons([box(0, 0, 1, 1), box(2, 2, 4, 4)], indices=[0, 0])
    assert shapely.area(polygons).tolist() == [5]
    mixed = shapely.geometrycollections([Point(0, 0), HOLED], indices=[0, 0])
    assert [each.geom_type for each in mixed[0].geoms] == ["Point", "Polygon"]


def test_simple_geometries_with_indices():
    # One point for each index: the helpers' own constructors, read back by the library.
    assert shapely.get_coordinates(shapely.points([(0, 0), (1, 1)], indices=[0, 1])).tolist() == [[0, 0], [1, 1]]
    lines = shapely.linestrings([(0, 0), (1, 0), (5, 5), (5, 9)], indices=[0, 0, 1, 1])
    assert shapely.length(lines).tolist() == [1, 4]
    rings = shapely.linearrings([(0, 0), (2, 0), (2, 2), (0, 2)], indices=[0, 0, 0, 0])
    assert shapely.is_closed(rings).tolist() == [True]
    shells = shapely.polygons(shapely.get_rings(HOLED), indices=[0, 0, 0])
    assert shapely.area(shells).tolist() == [81 - 2 * 0.5]


def test_a_line_of_either_module_becomes_a_ring():
    made = shapely.linestrings([(0, 0), (0, 1), (1, 1), (0, 0)])
    (part,) = shapely.get_parts(shapely.multilinestrings([made]))
    (helped,) = _geometry_helpers.simple_geometries_1d(shapely.get_coordinates(made), [0] * 4, 1, 0)
    for line in (made, part, helped):
        ring = _geometry_helpers.linestring_to_linearring(line)
        assert type(ring) is LinearRing
        assert shapely.polygons(ring).area == 0.5
    assert pickle.loads(pickle.dumps(shapely.set_srid(ring, 4326))) == ring
    assert shapely.get_srid(pickle.loads(pickle.dumps(shapely.set_srid(ring, 4326)))) == 4326


def test_a_pointer_of_one_module_becomes_a_geometry_of_the_other():
    point = shapely.points(3, 4)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(point))  # what is at the pointer goes with the twin, and only with it
    twin = _geometry_helpers._geom_factory(point._geom)
    assert type(twin) is Point
    assert (twin._geom, twin.wkt) == (point._geom, "POINT (3 4)")
    assert _geometry_helpers._geom_factory(0) is None


RAGGED = [
    (shapely.points([(0, 0), (1, 2)]), []),
    (shapely.linestrings([[(0, 0), (1, 1)], [(2, 2), (3, 4)]]), [[0, 2, 4]]),
    ([HOLED, box(0, 0, 1, 1)], [[0, 5, 9, 13, 18], [0, 3, 4]]),
    ([GEOMETRIES[6], MultiPoint()], [[0, 2, 2]]),
    ([GEOMETRIES[7], MultiLineString([[(5, 5, 1), (6, 6, 2)]])], [[0, 2, 4, 6], [0, 2, 3]]),
    ([GEOMETRIES[8], MultiPolygon([HOLED])], [[0, 5, 10, 15, 19, 23], [0, 1, 2, 5], [0, 2, 3]]),
]


@pytest.mark.parametrize(("geometries", "expected"), RAGGED, ids=[kinds[0].geom_type for kinds, _ in RAGGED])
def test_arrays_of_coordinates_and_back(geometries, expected):
    kind, coordinates, offsets = shapely.to_ragged_array(geometries)
    assert [each.tolist() for each in offsets] == expected
    again = shapely.from_ragged_array(kind, coordinates, offsets or None)
    assert [type(each) for each in again] == [type(each) for each in geometries]
    assert shapely.area(again).tolist() == shapely.area(geometries).tolist()
    assert shapely.equals(again, geometries).all()


def test_missing_ones_are_left_as_they_are():
    out = np.array(["as", "it", "was"], dtype=object)
    assert shapely.points([(0, 0), (1, 1)], indices=[0, 2], out=out) is out
    assert [str(each) for each in out] == ["POINT (0 0)", "it", "POINT (1 1)"]
    shapely.multipoints([out[2], None], indices=[1, 1], out=out)
    assert [str(each) for each in out] == ["POINT (0 0)", "MULTIPOINT ((1 1))", "POINT (1 1)"]


def test_the_exception_is_one():
    assert shapely.errors.GEOSException is lib.GEOSException is _geos.GEOSException
    assert issubclass(lib.GEOSException, shapely.errors.ShapelyError)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: shapely.linearrings([(0, 0), (1, 1)], indices=[0, 0]), ValueError, "requires at least 4 coordinates"),
        (
            lambda: shapely.linestrings([(0, 0)], indices=[0]),
            shapely.errors.GEOSException,
            "IllegalArgumentException: point array must contain 0 or >1 elements",
        ),
        (lambda: shapely.polygons([GEOMETRIES[3]], indices=[0]), TypeError, "unexpected geometry type 1"),
        (lambda: shapely.polygons([HOLED, 5], indices=[0, 0]), TypeError, "unexpected geometry type 3"),
        (lambda: shapely.multipoints([GEOMETRIES[0], 5], indices=[0, 0]), TypeError, "only Geometry objects"),
        (lambda: shapely.points([(0, 0)], indices=[1]), ValueError, "Index 0 is missing"),
        (lambda: shapely.points([(0, np.nan)], indices=[0], handle_nan="error"), ValueError, "A NaN, Inf or -Inf"),
        (lambda: shapely.points([(0, 0)], indices=[0], out=np.zeros(1)), TypeError, "dtype must be object"),
        (lambda: shapely.points([(0, 0)], indices=[0], out=[None]), TypeError, "must be of numpy.ndarray"),
        (
            lambda: _geometry_helpers.linestring_to_linearring(GEOMETRIES[3]),
            shapely.errors.GEOSException,
            "Points of LinearRing do not form a closed linestring",
        ),
        (lambda: _geometry_helpers.linestring_to_linearring(HOLED), TypeError, "provide a LineString object"),
        (lambda: _geometry_helpers.linestring_to_linearring("LINESTRING"), TypeError, "provide a Geometry object"),
        (lambda: _geometry_helpers.get_parts(np.array(["x"], dtype=object)), TypeError, "only Geometry objects"),
        (
            lambda: shapely.from_ragged_array(shapely.GeometryType.POLYGON, np.zeros((4, 2)), ([0, 5], [0, 1])),
            ValueError,
            r"linear offsets \(5\) larger than the shape",
        ),
        (
            lambda: shapely.from_ragged_array(shapely.GeometryType.POLYGON, [(0, 0), (1, 1)], ([0, 2], [0, 1])),
            ValueError,
            "at least 4 coordinates",
        ),
        (
            lambda: shapely.from_ragged_array(
                shapely.GeometryType.MULTILINESTRING, np.zeros((3, 2)), ([0, 1, 3], [0, 2])
            ),
            shapely.errors.GEOSException,
            "point array must contain 0 or >1 elements",
        ),
        (
            lambda: shapely.from_ragged_array(
                shapely.GeometryType.MULTIPOLYGON, np.zeros((4, 2)), ([0, 4], [0, 1], [0, 2])
            ),
            ValueError,
            r"geometry offsets \(2\) larger than indicated",
        ),
    ],
)
def test_errors_of_the_helpers(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_an_error_leaves_both_modules_usable():
    for _ in range(100):
        with pytest.raises(shapely.errors.GEOSException, match="IllegalArgument"):
            shapely.linestrings([(0, 0)], indices=[0])
        with pytest.raises(shapely.errors.GEOSException, match="ParseException"):
            shapely.from_wkt("POINT (")
    assert shapely.get_coordinates(shapely.points([(3, 4)], indices=[0])).tolist() == [[3, 4]]


def test_an_error_in_a_callback_arrives_unchanged():
    class OwnError(Exception):
        pass

    def fails(_coordinates):
        raise OwnError("from Python")

    with pytest.raises(OwnError, match="from Python"):
        shapely.transform(shapely.get_parts(GEOMETRIES[8]), fails)


def test_a_tree_of_parts_pickled():
    tree = shapely.STRtree(shapely.get_parts(shapely.multipoints([(x, 0) for x in range(50)])))
    assert sorted(pickle.loads(pickle.dumps(tree)).query(box(9.5, -1, 12.5, 1)).tolist()) == [10, 11, 12]
