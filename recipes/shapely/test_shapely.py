"""Shapely on GEOS: exact areas and relations, arrays, C++ exceptions, text and binary formats, the tree."""

import math

import numpy as np
import pytest
import shapely
from shapely import affinity, lib, ops, strtree
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box, mapping, shape

SQUARE = Polygon([(0, 0), (4, 0), (4, 4), (0, 4)])
RING = Polygon([(0, 0), (10, 0), (10, 10), (0, 10)], [[(2, 2), (2, 4), (4, 4), (4, 2)]])


def test_c_extension_is_in_use():
    assert lib.__file__.endswith((".so", ".pyd"))
    assert shapely.geos_version == (3, 13, 1)


def test_measures():
    assert SQUARE.area == 16
    assert RING.area == 96
    assert RING.length == 48
    assert SQUARE.distance(Point(7, 8)) == 5
    assert LineString([(0, 0), (1, 1)]).hausdorff_distance(LineString([(0, 0), (3, 1)])) == 2
    assert SQUARE.centroid.equals(Point(2, 2))
    assert shapely.minimum_rotated_rectangle(Point(0, 0).union(Point(3, 4)).convex_hull).length == pytest.approx(5)


def test_set_operations():
    other = box(2, 2, 6, 6)
    assert SQUARE.intersection(other).equals(box(2, 2, 4, 4))
    assert SQUARE.union(other).area == 28
    assert SQUARE.difference(other).area == 12
    assert SQUARE.symmetric_difference(other).area == 24
    assert shapely.union_all([box(x, 0, x + 1, 1) for x in range(50)]).equals(box(0, 0, 50, 1))
    fine = shapely.intersection(SQUARE, affinity.rotate(SQUARE, 45), grid_size=0.001)
    assert fine.area == pytest.approx(8 * (math.sqrt(2) - 1) * 4, rel=1e-3)


def test_buffer():
    circle = Point(0, 0).buffer(1, quad_segs=64)
    assert circle.area == pytest.approx(math.pi, rel=1e-3)
    assert SQUARE.buffer(1, join_style="mitre").equals(box(-1, -1, 5, 5))
    assert SQUARE.buffer(-2).is_empty


@pytest.mark.parametrize(
    ("first", "second", "matrix"),
    [
        (box(0, 0, 2, 2), box(1, 1, 3, 3), "212101212"),
        (box(0, 0, 1, 1), box(1, 0, 2, 1), "FF2F11212"),
        (box(0, 0, 4, 4), Point(1, 1), "0F2FF1FF2"),
        (LineString([(0, 0), (2, 2)]), LineString([(0, 2), (2, 0)]), "0F1FF0102"),
    ],
)
def test_relations(first, second, matrix):
    assert first.relate(second) == matrix
    shapely.prepare(first)
    assert first.intersects(second)


def test_arrays_broadcast():
    grid = shapely.points(*np.meshgrid(np.arange(10.0), np.arange(10.0)))
    inside = shapely.contains_properly(RING, grid)
    assert grid.shape == inside.shape == (10, 10)
    assert inside.sum() == 81 - 9
    assert shapely.area(np.array([SQUARE, None, RING])).tolist()[::2] == [16, 96]
    assert np.isnan(shapely.area(None))
    assert shapely.distance(grid[0], grid[9]).tolist() == [9] * 10
    coordinates = shapely.get_coordinates(shapely.transform(grid.ravel(), lambda xy: xy * 2))
    assert coordinates.max() == 18


def test_tree():
    boxes = [box(x, y, x + 1, y + 1) for x in range(20) for y in range(20)]
    tree = strtree.STRtree(boxes)
    assert sorted(tree.query(box(3.5, 3.5, 4.5, 4.5))) == [3 * 20 + 3, 3 * 20 + 4, 4 * 20 + 3, 4 * 20 + 4]
    assert tree.nearest(Point(30, 7.5)) == 19 * 20 + 7
    pairs, distances = tree.query_nearest([Point(-3, 0.5)], return_distance=True)
    assert (pairs[1].tolist(), distances.tolist()) == ([0], [3])
    assert len(tree.query(Point(5, 5).buffer(3), predicate="contains")[:]) > 0


@pytest.mark.parametrize(
    "geometry", [SQUARE, RING, Point(1, 2, 3), MultiPoint([(0, 0), (1e-300, 1e300)]), LineString([(0, 0), (1, 1)])]
)
def test_formats(geometry):
    assert shapely.from_wkt(geometry.wkt).equals_exact(geometry, 1e-12) or geometry.bounds[3] > 1e299
    assert shapely.from_wkb(geometry.wkb).wkb == geometry.wkb
    assert shapely.from_geojson(shapely.to_geojson(geometry)).equals_exact(geometry, 1e-12)
    assert shape(mapping(geometry)).equals_exact(geometry, 0)


def test_wkb_of_the_specification():
    # OGC 06-103r4: byte order, type, coordinates.
    assert Point(2, 4).wkb.hex() == "0101000000" + "0000000000000040" + "0000000000001040"


def test_exceptions_of_cpp_become_python():
    with pytest.raises(shapely.errors.GEOSException, match=r"ParseException|Expected"):
        shapely.from_wkt("POLYGON ((0 0, 1 1")
    with pytest.raises(ValueError, match="at least 4 coordinates"):
        shapely.linearrings([(0, 0), (1, 1)])
    bowtie = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    with pytest.raises(shapely.errors.GEOSException, match="TopologyException"):
        shapely.intersection(bowtie, affinity.translate(bowtie, 0.5, 0.25))
    for _ in range(200):
        assert shapely.from_wkb(b"\x01\x09", on_invalid="ignore") is None


def test_validity():
    bowtie = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    assert not bowtie.is_valid
    assert shapely.is_valid_reason(bowtie) == "Self-intersection[1 1]"
    assert shapely.make_valid(bowtie).area == 2


def test_algorithms():
    points = MultiPoint([(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)])
    assert points.convex_hull.equals(SQUARE)
    assert len(ops.triangulate(points)) == 4
    assert len(shapely.voronoi_polygons(points).geoms) == 5
    assert len(list(ops.polygonize([[(0, 0), (1, 1)], [(1, 1), (1, 0)], [(1, 0), (0, 0)]]))) == 1
    assert LineString([(0, 0), (1, 0.01), (2, 0)]).simplify(0.1).equals(LineString([(0, 0), (2, 0)]))
    assert LineString([(0, 0), (4, 0)]).interpolate(0.25, normalized=True).equals(Point(1, 0))
    assert shapely.concave_hull(points, ratio=1).equals(SQUARE)
    assert shapely.coverage_simplify([box(0, 0, 1, 1), box(1, 0, 2, 1)], 0.1)[0].equals(box(0, 0, 1, 1))
    assert shapely.maximum_inscribed_circle(SQUARE, tolerance=1e-3).length == pytest.approx(2, abs=0.01)
