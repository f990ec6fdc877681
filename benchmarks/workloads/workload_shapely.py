"""Operations of Shapely: constructive ones, predicates, the tree, and what each of its compiled modules does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from collections.abc import Callable


def cases() -> dict[str, Callable[[], object]]:
    """Return name -> a function without arguments."""
    random = np.random.RandomState(0)
    xy = random.rand(10_000, 2) * 100
    points = shapely.points(xy)
    discs = shapely.buffer(points[:1000], 1.5)
    lines = shapely.linestrings(random.rand(500, 20, 2) * 100)
    land = shapely.union_all(discs)
    tree = shapely.STRtree(discs)
    texts = shapely.to_wkt(discs)
    binary = shapely.to_wkb(discs)
    shapely.prepare(land)
    return {
        "points 10k": lambda: shapely.points(xy),
        "buffer 1k": lambda: shapely.buffer(points[:1000], 1.5),
        "union_all 1k": lambda: shapely.union_all(discs),
        "intersection": lambda: shapely.intersection(discs, land),
        "contains, prepared": lambda: shapely.contains(land, points),
        "lines cross": lambda: shapely.intersects(lines[:, None], lines[None, :100]),
        "tree query": lambda: tree.query(points, predicate="within"),
        "distance": lambda: shapely.distance(lines[:, None], points[:20]),
        "simplify": lambda: shapely.simplify(discs, 0.1),
        "get_parts": lambda: shapely.get_parts(land),
        "get_rings": lambda: shapely.get_rings(discs),
        "from_wkt": lambda: shapely.from_wkt(texts),
        "from_wkb": lambda: shapely.from_wkb(binary),
    }
