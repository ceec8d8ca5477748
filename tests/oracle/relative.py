"""Losses of a prediction beside its target, and of vectors: formulas in Jets of the prediction."""

from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp, mpf

from ._exact import Exact
from ._jet import Jet, jet_truth, log1p, sqrt, total


def _squared_log(prediction: list[Jet], y: mpf) -> Jet:
    (p,) = prediction
    if p.value <= -1:
        return Jet(mp.inf, [-mp.inf], [[mp.inf]])
    ratio = log1p(p) - mp.log1p(y)
    return ratio * ratio


def _percentage(prediction: list[Jet], y: mpf) -> Jet:
    r = prediction[0] - y
    return r * 0 if r.value == 0 else abs(r) / abs(y)


def _symmetric(prediction: list[Jet], y: mpf) -> Jet:
    (p,) = prediction
    if p.value == y:
        return p * 0
    if p.value * y < 0:
        return p * 0 + 2
    size = abs(p) if p.value != 0 else mp.sign(y) * p
    return 2 * abs(p - y) / (size + abs(y))


def _cosine(prediction: list[Jet], y: Sequence[mpf]) -> Jet:
    length = mp.sqrt(mp.fsum(b * b for b in y))
    if all(p.value == 0 for p in prediction):
        # What the library chooses: a right angle, and the slope towards the target.
        return Jet(1, [-b / length for b in y], [[0] * len(y)] * len(y))
    dot = total([p * b for p, b in zip(prediction, y, strict=True)])
    return 1 - dot / (sqrt(total([p * p for p in prediction])) * length)


def _pinballs(prediction: list[Jet], y: mpf, levels: Sequence[float]) -> Jet:
    each = [(p - y, mpf(level)) for p, level in zip(prediction, levels, strict=True)]
    sides = [r * (0 if r.value == 0 else 1 - level if r.value > 0 else -level) for r, level in each]
    return total(sides) / len(sides)


JETS: dict[str, Callable[..., Jet]] = {
    "squared_log_error": _squared_log,
    "absolute_percentage_error": _percentage,
    "symmetric_absolute_percentage_error": _symmetric,
    "cosine_distance": _cosine,
    "multi_quantile": _pinballs,
}


def jets(name: str, prediction: Any, target: Any, given: dict[str, Any]) -> Exact:
    """Value, gradient and Hessian of a loss in JETS."""
    point = prediction if isinstance(prediction, list) else [prediction]
    sizes = [abs(x) for x in [*point, *(target if isinstance(target, list) else [target])] if x != 0] or [1.0]
    # Enough that a sum or difference still knows its smaller part, and its square.
    spread = abs(float(mp.log10(max(sizes)))) + abs(float(mp.log10(min(sizes))))
    return jet_truth(lambda p, y: JETS[name](p, y, **given), point, target, digits=100 + int(2.2 * spread))
