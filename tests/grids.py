"""Extreme points for losses in which the target counts by itself, and for regression losses of a vector."""

from typing import Any

import numpy as np


def beside_targets(target: str, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Predictions from the smallest to the largest against a few targets, and what lies around a perfect fit."""
    kind = sizes.dtype.type
    near = np.array([0.0, 1e-6, -1e-6, 1e-3, -1e-3, 0.4, -0.6], sizes.dtype)
    if target == "non-negative":
        edge = np.array([-1.0, -1 + np.finfo(kind).eps, -0.999, -0.5, -1e-3, -1e-9], sizes.dtype)
        parts = [(np.concatenate([edge, sizes]), y) for y in (0.0, 1.5)]
        others = [1e-9, 7.0, 1e6]
    else:
        parts = [(np.concatenate([-sizes[::-1], sizes]), y) for y in (1.5, -2.0)]
        others = [1e-9, 0.1, -1e9]
    parts += [(np.concatenate([sizes[::9], (kind(y) * (1 + near)).astype(kind)]), y) for y in others]
    return np.concatenate([p for p, _ in parts]), np.concatenate([np.full_like(p, y) for p, y in parts])


def regression_vectors(prediction: str, dtype: Any, length: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of three (or more): ordered and crossed, at the target and beside it, parallel, opposite, tiny, huge."""
    huge, tiny = float(np.finfo(dtype).max) ** 0.8, float(np.finfo(dtype).tiny) ** 0.8
    points = [
        *([0, 0, 0], [1, 0, -1], [1.5, 1.5, 2.5], [1, 2, 3], [-1, -2, -3], [1, 2, 3.0001], [-1, 2, 0.5], [0, 1, 0]),
        *([huge, -huge, tiny], [tiny, tiny, -tiny], [huge, 1, 0], [1e-9, 3e-5, 0.1], [1, 1e-4, 1e-9], [0.1, 0.2, 0.3]),
    ]
    targets: list[Any] = [0.0, 1.5, -1e9] if prediction == "quantiles" else [[1, 2, 3], [0, 0, 1], [1e-9, -huge, huge]]
    found, labels = np.array(points, dtype)[:, np.arange(length) % 3], np.array(targets, dtype)
    return np.repeat(found, len(labels), axis=0), np.tile(labels, (len(found), *(1,) * (labels.ndim - 1)))


def locations_and_log_scales(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Residuals from none to far out at scales from e**-50 to e**50, and a few from a target that is not 0."""
    residuals = [0, 1e-30, -3e-5, 0.3, -1, 1.1774, -5, 40, -1e9, 1e15]
    scales = [0, 1, -0.3, 5, -5, 50, -50]
    points = [(r, t, 0) for r in residuals for t in scales]
    points += [(1.5 + r, t, 1.5) for r in (0, 1, -0.7, 3, 1e6) for t in (0.0, -2.0)]
    table = np.array(points, dtype)
    return table[:, :2], table[:, 2]


def intervals(dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends: around the target, beside it, at it, crossed, tiny and huge."""
    huge, tiny = float(np.finfo(dtype).max) ** 0.8, float(np.finfo(dtype).tiny) ** 0.8
    ends = [[0, 0], [-1, 1], [1, -1], [1.5, 2], [1.5, 1.5], [3, 1.5], [-1e9, 0.1], [2, 5], [-7, -2], [huge, -huge]]
    ends += [[-huge, huge], [tiny, tiny], [-tiny, 1], [0.1, 0.2]]
    targets = np.array([0.0, 1.5, -1e9], dtype)
    return np.repeat(np.array(ends, dtype), 3, axis=0), np.tile(targets, len(ends))
