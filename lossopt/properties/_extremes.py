"""The greatest and least slope, curvature and value of a loss: the best points of a grid, then closed in on."""

from collections.abc import Callable

import numpy as np

from ._lines import Curve, follow
from ._subject import choose, Jet, jet, precision, Subject


Field = Callable[..., np.ndarray]


def without_dust(curve: Curve) -> np.ndarray:
    """The curvature, NaN where it is no more than the rounding of the slope (beside a kink that may be large)."""
    dust = 64 * np.finfo(precision()).eps * np.abs(curve.slope)
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.abs(curve.curvature * curve.x)
    return np.where((size > 0) & (size < dust), np.nan, curve.curvature)


ALONG: dict[str, Field] = {
    "slope": lambda curve: np.abs(curve.slope),
    "curvature": without_dust,
    "least_curvature": lambda curve: -without_dust(curve),
    "value": lambda curve: curve.value,
    "least_value": lambda curve: -curve.value,
}


def unbounded(found: dict[str, float]) -> dict[str, float]:
    """inf for what is so large that it has grown with a target or a scale that was taken to its extreme."""
    return {name: np.inf if value > choose(1e12, 1e8) else value for name, value in found.items()}


def along(what: Subject, curves: list[Curve]) -> dict[str, float]:
    """The greatest of each field of ALONG over lines, from curves that were evaluated on a grid."""
    windows = {name: _best(curves, field) for name, field in ALONG.items()}
    for _ in range(6):
        requests = [(line, np.linspace(low, high, 33)) for line, low, high, _ in windows.values()]
        found = follow(what, requests)
        for (name, field), curve in zip(ALONG.items(), found, strict=True):
            closer = _best([curve], field)
            if closer[3] >= windows[name][3]:
                windows[name] = closer
    return {name: window[3] if window[3] > -np.inf else 0.0 for name, window in windows.items()}


def _best(curves: list[Curve], field: Field) -> tuple:
    """The line, the neighbouring coordinates, and the value where a field is greatest."""
    found = []
    for curve in curves:
        f = _finite(field(curve))
        i = int(np.argmax(f))
        found.append((curve.line, curve.x[max(i - 1, 0)], curve.x[min(i + 1, len(f) - 1)], float(f[i])))
    return max(found, key=lambda window: window[3])


def _finite(f: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(f), f, -np.inf)


ACROSS: dict[str, Field] = {
    "slope": lambda jet: np.linalg.norm(jet.slope, axis=1),
    "curvature": lambda jet: _spectrum(jet)[:, -1],
    "least_curvature": lambda jet: -_spectrum(jet)[:, 0],
    "value": lambda jet: jet.value,
    "least_value": lambda jet: -jet.value,
}


def _spectrum(found: Jet) -> np.ndarray:
    usable = np.isfinite(found.curvature).all(axis=(1, 2))
    return np.where(usable[:, None], np.linalg.eigvalsh(np.where(usable[:, None, None], found.curvature, 0.0)), -np.inf)


def across(what: Subject, predictions: np.ndarray, targets: np.ndarray, seed: int) -> dict[str, float]:
    """The greatest of each field of ACROSS over vectors: from the points given, by steps at random that shrink."""
    random = np.random.default_rng(seed)
    found = jet(what, predictions, targets)
    best = {name: _leaders(field(found), predictions, targets) for name, field in ACROSS.items()}
    for size in 0.5 ** np.arange(18.0):
        for name, field in ACROSS.items():
            points, labels, _ = best[name]
            points = np.concatenate([points, _nearby(what, random, points, size)])
            labels = np.concatenate([labels, np.repeat(labels, len(points) // len(labels) - 1, axis=0)])
            best[name] = _leaders(field(jet(what, points, labels)), points, labels)
    return {name: float(values[0]) for name, (_, _, values) in best.items()}


def at_zero(what: Subject, targets: np.ndarray, seed: int) -> dict[str, float]:
    """inf for each field of ACROSS that grows without bound as the vector of predictions shrinks to 0, else -inf."""
    random = np.random.default_rng(seed)
    rays = random.normal(size=(8, 1, what.classes))
    ladder = 10.0 ** -np.arange(1.0, choose(12, 5))
    points = (rays * ladder[:, None]).reshape(-1, what.classes)
    labels = np.repeat(targets, len(points), axis=0)
    found = jet(what, np.tile(points, (len(targets), 1)), labels)
    climbs = {name: field(found).reshape(-1, len(ladder)) for name, field in ACROSS.items()}
    # Ten times nearer, ten times steeper: from the first to the last by most of that many decades.
    steep = ladder[0] / ladder[-1] / 100
    return {
        name: np.inf if np.any(f[:, -1] > steep * np.maximum(np.abs(f[:, 0]), 1e-3)) else -np.inf
        for name, f in climbs.items()
    }


def _leaders(f: np.ndarray, predictions: np.ndarray, targets: np.ndarray, count: int = 8) -> tuple:
    order = np.argsort(-_finite(f), kind="stable")[:count]
    return predictions[order], targets[order], _finite(f)[order]


def _nearby(what: Subject, random: np.random.Generator, points: np.ndarray, size: float, count: int = 16) -> np.ndarray:
    """Steps along every axis, which halve towards an extreme on a ridge, and `count` at random, for any other."""
    n, k = points.shape
    axes = np.broadcast_to(np.concatenate([np.eye(k), -np.eye(k)]), (n, 2 * k, k))
    moves = np.concatenate([axes, random.normal(size=(n, count, k))], axis=1)
    near = (points[:, None] + size * moves).reshape(-1, k)
    return onto_simplex(near) if what.prediction == "probabilities" else near


def onto_simplex(points: np.ndarray) -> np.ndarray:
    """The nearest thing to probabilities: never 0, summing to 1."""
    positive = np.maximum(points, 1e-9)
    return positive / positive.sum(axis=1, keepdims=True)


def sample(what: Subject, seed: int) -> np.ndarray:
    """Vectors to start from: at random, and structured (one or two entries ahead or behind, near and far)."""
    random, k = np.random.default_rng(seed), what.classes
    if what.prediction == "location and log scale":
        return _scales(random)
    axes = np.eye(k)
    ahead = np.concatenate([axes, -axes, *(axes - axis for axis in axes), *(axes + axis for axis in axes)])
    # Two entries far ahead of the rest, at every gap: where a loss of two classes has its extremes.
    gaps = np.arange(0.25, 4.1, 0.25)
    pairs = [100 * (axes[i] + axes[j]) + gap * axes[i] for i in range(k) for j in range(k) if i != j for gap in gaps]
    points = np.concatenate(
        [*(scale * part for scale in (1.0, 3.0, 30.0, 1e3) for part in (ahead, random.normal(size=(40, k)))), pairs]
    )
    if what.prediction != "probabilities":
        return points
    return onto_simplex(np.concatenate([np.abs(points), random.dirichlet(np.full(k, 0.3), 100)]))


def _scales(random: np.random.Generator) -> np.ndarray:
    """Locations of order 1 and locations in units of the scale, at scales from moderate to extreme."""
    far = choose(60.0, 25.0)
    log_scale = np.concatenate([random.normal(size=120), random.uniform(-far, far, size=120)])
    z = random.normal(size=240) * np.tile([0.3, 1.0, 4.0], 80)
    return np.stack([np.where(np.arange(240) % 2, z, z * np.exp(log_scale)), log_scale], axis=1)
