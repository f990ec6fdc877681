"""Shapely's compiled modules hand each other GEOS's objects: each calls it, and there must be one GEOS for all."""

import copy
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
