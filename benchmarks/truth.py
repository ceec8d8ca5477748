"""The extreme grid and the exact derivatives on it: those of the tests, which this module finds beside the package.

A loss may have several subgradients at a kink, and two curvatures at a knot. The tests hold us to the one that we
chose; here any number between those of the two sides is right, of every library.
"""

import functools
import pathlib
import sys
from typing import Any

import numpy as np
from mpmath import mpf


sys.path.append(str(pathlib.Path(__file__).parent.parent / "tests"))

from cases import Case as Case, CASES as CASES
from numerics import (
    compared as compared,
    Error as Error,
    everything as everything,
    floor as floor,
    Grid as Grid,
    Orders as Orders,
    points,
    RTOL as RTOL,
    settings as settings,
    Truth as Truth,
    truths,
    vector_points,
    vector_truths,
)


# Two sides of a point differ by this much, relatively, if the derivative jumps there.
JUMP, STEP = 1e-3, 1e-12


def grid(case: Case, dtype: Any) -> Grid:
    """The predictions and targets."""
    return vector_points(case.card, dtype) if case.card.prediction_ndim else points(case, dtype)


@functools.lru_cache(maxsize=8)
def _exact(name: str, dtype: Any) -> list[Truth]:
    case = next(case for case in CASES if str(case) == name)
    return list(_at(case, dtype, None))


def exact(case: Case, dtype: Any) -> list[Truth]:
    """The truth at each point of the grid."""
    return _exact(str(case), dtype)


def _at(case: Case, dtype: Any, where: Grid | None) -> Any:
    return (vector_truths if case.card.prediction_ndim else truths)(case, dtype, where)


def between_the_sides(error: Error, number: mpf, case: Case, dtype: Any) -> bool:
    """Whether a derivative jumps at the point of an error, and `number` lies between its values on the two sides."""
    if "probabilit" in case.card.prediction:
        return False
    order = {"value": 0, "reverse": 1, "curvature": 2}[error.order]
    centre = np.array(error.prediction, float)
    size = np.maximum(STEP * np.abs(np.nan_to_num(centre, posinf=0, neginf=0)), 1e-300)
    steps = np.eye(centre.size).reshape(-1, *centre.shape) * size
    sides = np.concatenate([centre + steps, centre - steps])
    targets = np.array([error.target] * len(sides))
    found = [truth.exact.orders[order][error.entry] for truth in _at(case, dtype, (sides, targets))]
    low, high = min(found), max(found)
    margin = JUMP * max(abs(low), abs(high))
    return bool(high - low > margin and low - margin <= number <= high + margin)
