"""Environment markers of requirements of others: some that parse cannot be evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.version import InvalidVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.markers import Marker


def holds(marker: Marker | None, environment: Mapping[str, str]) -> bool:
    """Tell whether a marker holds (PEP 508); no marker does. Raises `ValueError` for one that makes no sense.

    For instance ``platform_machine ~= "x"``, which compares versions that are none.
    """
    if marker is None:
        return True
    try:
        return marker.evaluate(dict(environment))
    except (UndefinedComparison, UndefinedEnvironmentName, InvalidVersion) as error:
        raise ValueError(f"its marker {str(marker)[:200]!r} cannot be evaluated") from error
