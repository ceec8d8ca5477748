"""A loss as a likelihood: the noise of which it is minus the log density, and its efficiency at Gaussian noise."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._lines import follow, Line
from ._subject import choose, jet, Subject, top_target


# Dyadic, so that target ± residual is exact, and with 1 at a known place.
RESIDUALS = np.concatenate([np.arange(1, 64) / 32, np.arange(2, 41.0)])
ONE, TWO = 31, 63


class Shape(NamedTuple):
    """A loss of a residual, less its value at 0, with what its free constants can be read from."""

    x: np.ndarray
    right: np.ndarray
    left: np.ndarray
    far: float
    """The coordinate furthest out, and the slope there, on the right."""
    far_slope: float
    bowl: float
    """The curvature at 0."""


def _even(cost: Callable[[Shape], np.ndarray]) -> Callable[[Shape], tuple[np.ndarray, np.ndarray]]:
    return lambda shape: (cost(shape),) * 2


def _student(shape: Shape) -> np.ndarray:
    # (nu + 1)/2 log(1 + r**2 / (nu s**2)): the tail gives nu, the bowl s; nu <= 0 is no density, nu = inf the Gaussian.
    half = shape.far * shape.far_slope / 2
    return half * np.log1p(shape.x**2 * shape.bowl / (2 * half)) if 0.5 < half < 1e8 else np.full_like(shape.x, np.nan)


def _power(shape: Shape) -> np.ndarray:
    return shape.right[ONE] * shape.x ** np.log2(shape.right[TWO] / shape.right[ONE])


def _secant(shape: Shape) -> np.ndarray:
    u = shape.far_slope * shape.x
    return u + np.log1p(np.exp(-2 * u)) - math.log(2)


# Minus the log density of each noise on the right and on the left, less its value at 0, the scale read from the loss.
DENSITIES: dict[str, Callable[[Shape], tuple[np.ndarray, np.ndarray]]] = {
    "gaussian": _even(lambda shape: shape.right[ONE] * shape.x**2),
    "laplace": _even(lambda shape: shape.right[ONE] * shape.x),
    "exponential power": _even(_power),
    "hyperbolic secant": _even(_secant),
    "student t": _even(_student),
    "asymmetric laplace": lambda shape: (shape.right[ONE] * shape.x, shape.left[ONE] * shape.x),
    "asymmetric gaussian": lambda shape: (shape.right[ONE] * shape.x**2, shape.left[ONE] * shape.x**2),
}


def shape_of(what: Subject, line: Line, far: tuple[float, float]) -> Shape:
    """The loss along a line of residuals, as the densities read it."""
    (curve,) = follow(what, [(line, np.concatenate([[0.0], RESIDUALS, -RESIDUALS]))])
    cost = curve.value - curve.value[0]
    right, left = np.split(cost[1:], 2)
    return Shape(RESIDUALS, right, left, far[0], far[1], float(curve.curvature[0]))


def of_residuals(shape: Shape) -> tuple[str, ...]:
    """The names of all the noises that have this shape."""
    if not shape.right[ONE] > 0 or not shape.left[ONE] > 0:
        return ()
    with np.errstate(all="ignore"):
        return tuple(name for name, density in DENSITIES.items() if _close(density(shape), (shape.right, shape.left)))


def _close(claimed: tuple[np.ndarray, np.ndarray], found: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.allclose(a, b, rtol=choose(1e-8, 1e-3), atol=0) for a, b in zip(claimed, found, strict=True))


def alike(shapes: list[Shape]) -> bool:
    """Whether the loss is a function of the residual alone: it has one shape at every target."""
    first = shapes[0]
    return all(_close((shape.right, shape.left), (first.right, first.left)) for shape in shapes[1:])


def symmetric(shape: Shape) -> bool:
    """Whether the loss of r and of -r are the same."""
    return bool(np.allclose(shape.right, shape.left, rtol=choose(1e-10, 1e-4), atol=0))


def over_targets(what: Subject) -> tuple[np.ndarray, np.ndarray]:
    """The loss at many predictions (n) for each hard target (k), (k, n); then with classes and prediction exchanged."""
    random, k = np.random.default_rng(0), what.classes
    if what.of_vector:
        points = random.normal(size=(60, k)) * np.repeat([[0.5], [2.0], [8.0]], 20, axis=0)
        if what.prediction == "probabilities":
            points = random.dirichlet(np.ones(k), 60)
        targets: np.ndarray = np.arange(k) if what.target == "label" else np.eye(k)
        exchanged = np.roll(points, 1, axis=1)
        swapped = np.roll(targets, -1, axis=0)
    else:
        unit = what.prediction == "probability"
        points = np.arange(1, 64) / 64 if unit else np.arange(-640, 641) / 32
        targets = np.array([0.0, top_target(what)])
        exchanged, swapped = 1 - points if unit else -points, targets[::-1]
    table = np.stack([jet(what, points, np.repeat(t[None], len(points), axis=0)).value for t in targets])
    other = np.stack([jet(what, exchanged, np.repeat(t[None], len(points), axis=0)).value for t in swapped])
    return table, other


def of_classes(what: Subject, table: np.ndarray) -> tuple[str, ...]:
    """Whether exp(-loss) sums to 1 over the targets: then it is their probability."""
    name = "categorical" if what.of_vector else "bernoulli"
    total = np.exp(-table).sum(axis=0)
    return (name,) if np.allclose(total, 1.0, rtol=0, atol=choose(1e-10, 1e-4)) else ()


def gaussian_efficiency(what: Subject, line: Line, breaks: tuple[float, ...]) -> float | None:
    """(E psi')**2 / E psi**2 at the standard normal; E psi' = E[r psi(r)] counts the jumps of psi at kinks as well.

    Gauss-Legendre between the kinks and knots. None where the integral does not exist.
    """
    edges = np.geomspace(1e-4, 10, 31)
    edges = np.unique(np.concatenate([-edges, [0.0], edges, np.linspace(-10, 10, 41), np.clip(breaks, -10, 10)]))
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = np.diff(edges)[:, None] / 2
    x = (edges[:-1, None] + half * (1 + nodes)).ravel()
    mass = (half * weights).ravel() * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    (curve,) = follow(what, [(line, x)])
    spread = mass * curve.slope**2
    # An integrand that has not died out at 10 standard deviations belongs to no finite variance.
    if not np.all(np.isfinite(spread)) or not spread.sum() > 0 or max(spread[0], spread[-1]) > 1e-10 * spread.sum():
        return None
    return float((mass @ (x * curve.slope)) ** 2 / spread.sum())
