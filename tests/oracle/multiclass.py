"""Losses of vectors, in closed form, sensitivities to rounded inputs included."""

from collections.abc import Sequence
from typing import Any

from mpmath import mp, mpf

from ._exact import Exact
from ._taylor import exponential


def softmax_truth(logits: Sequence[float], label: Any, given: dict[str, Any]) -> Exact:
    """Value, gradient and Hessian of the softmax losses against an integer or a vector of probabilities."""
    with mp.workdps(400):
        weight, q = _soft_label(len(logits), label, given)
        top = max(mpf(x) for x in logits)
        # Only differences of logits count, and each is rounded; a masked class is exact.
        z = [mpf(x) - top for x in logits]
        e = [exponential(x) for x in z]
        p, mass, normaliser = [x / mp.fsum(e) for x in e], mp.fsum(q), mp.log(mp.fsum(e))
        size = [abs(x) if not mp.isinf(x) else mpf(0) for x in z]
        spread = mp.fsum(s * x for s, x in zip(size, p, strict=True))
        soft = 0 if set(q) <= {0, 1} else 1
        slope = [(mass * x - y, s * x + spread * x + soft * (x + y)) for x, y, s in zip(p, q, size, strict=True)]
        value = mp.fsum(y * (normaliser - x) for y, x in zip(q, z, strict=True) if y != 0)
        sensitivity = mp.fsum(s * abs(g) for s, (g, _) in zip(size, slope, strict=True)) + soft * abs(value)
        hessian = [
            (
                mass * p[i] * ((i == j) - p[j]),
                p[i] * (p[j] if i != j else 1 - p[i]) * (size[i] + size[j] + 2 * spread + soft),
            )
            for i in range(len(z))
            for j in range(len(z))
        ]
        return _paired([[(weight * t, weight * s) for t, s in o] for o in ([(value, sensitivity)], slope, hessian)])


def _paired(orders: list[list[tuple[mpf, mpf]]]) -> Exact:
    truth, sensitivity = ([[pair[part] for pair in order] for order in orders] for part in (0, 1))
    return Exact(truth, lambda: sensitivity)


def _soft_label(classes: int, label: Any, given: dict[str, Any]) -> tuple[mpf, list[mpf]]:
    if not isinstance(label, int):
        return mpf(1), [mpf(y) for y in label]
    smoothing, weights = mpf(given["label_smoothing"]), given["class_weights"]
    return mpf(1 if weights is None else weights[label]), [
        (1 - smoothing) * (i == label) + smoothing / classes for i in range(classes)
    ]


def shares_truth(p: Sequence[float], y: Sequence[float], given: dict[str, Any]) -> Exact:
    """Cross-entropy of a vector of probabilities, entry by entry; an entry with y = 0 takes no part."""
    with mp.workdps(60):
        terms = [_entry(mpf(a), mpf(b)) for a, b in zip(p, y, strict=True)]
        hessian = [terms[i][2] if i == j else mpf(0) for i in range(len(p)) for j in range(len(p))]
        orders = [[mp.fsum(term[0] for term in terms)], [term[1] for term in terms], hessian]
        return Exact(orders, lambda: [[abs(x) if not mp.isinf(x) else mpf(0) for x in order] for order in orders])


def _entry(p: mpf, y: mpf) -> list[mpf]:
    if y == 0:
        return [mpf(0)] * 3
    return [mp.inf, -mp.inf, mp.inf] if p == 0 else [-y * mp.log(p), -y / p, y / p**2]
