"""Losses of a vector of logits: formulas in the logits (a list of Jets) and the label (or vector of probabilities)."""

from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp, mpf

from ._exact import Exact
from ._jet import exp, expm1, Jet, log, log1p, softplus, total, variables


Logits = list[Jet]

# What stands for -inf: so far out that all is at its limit, a masked rival further than a masked label.
MASKED_LABEL, MASKED_RIVAL = mpf(-(10**9)), mpf(-(10**12))

# How often a probability is rounded on the way to a value, a slope (a product of two) and a curvature (of three). It
# shows where probabilities balance, as at a tie; the small ones of a saturated softmax keep their digits all the same.
ROUNDINGS = (1, 1, 4)
_STEP = mpf(10) ** -25


def _odds_against(z: Logits, y: int) -> Jet:
    return total([exp(other - z[y]) for i, other in enumerate(z) if i != y])


def _cost(z: Logits, y: int) -> Jet:
    return log1p(_odds_against(z, y))


def _wrong(z: Logits, y: int) -> Jet:
    return 1 / (1 + 1 / _odds_against(z, y))


def _shares(z: Logits) -> list[Jet]:
    e = [exp(x) for x in z]
    return [x / total(e) for x in e]


def _one_versus_rest(z: Logits, y: int) -> Jet:
    return total([softplus(-x if i == y else x) for i, x in enumerate(z)])


def _strongest(z: Logits, y: int) -> Jet:
    rivals = [x for i, x in enumerate(z) if i != y]
    return max(rivals, key=lambda x: x.value) - z[y]


def _positive(x: Jet) -> Jet:
    return x if x.value > 0 else x * 0


def _perceptron(z: Logits, y: int) -> Jet:
    lead = _strongest(z, y)
    return lead * 0 if lead.value < 0 else lead


def _sparsemax(z: Logits, y: int) -> Jet:
    falling = sorted(z, key=lambda x: -x.value)
    sizes = [k for k in range(1, len(z) + 1) if 1 + k * falling[k - 1].value > mp.fsum(x.value for x in falling[:k])]
    kept = falling[: max(sizes)]
    tau = (total(kept) - 1) / len(kept)
    return total([x * x - tau * tau for x in kept]) / 2 + mpf(1) / 2 - z[y]


def _focal(z: Logits, y: int, gamma: float, class_weights: Sequence[float] | None) -> Jet:
    weight = 1 if class_weights is None else mpf(class_weights[y])
    return weight * (exp(mpf(gamma) * log(_wrong(z, y))) * _cost(z, y))


def _brier(z: Logits, y: int) -> Jet:
    wrong = _wrong(z, y)
    return total([wrong * wrong, *(p * p for i, p in enumerate(_shares(z)) if i != y)])


def _kl(z: Logits, q: Sequence[mpf]) -> Jet:
    normaliser = log(total([exp(x) for x in z]))
    return total([b * (normaliser - x + mp.log(b)) for x, b in zip(z, q, strict=True) if b != 0])


def _generalized(z: Logits, y: int, q: float) -> Jet:
    return _cost(z, y) if q == 0 else -expm1(-mpf(q) * _cost(z, y)) / mpf(q)


def _symmetric(z: Logits, y: int, alpha: float, beta: float, log_zero: float) -> Jet:
    return mpf(alpha) * _cost(z, y) - mpf(beta) * mpf(log_zero) * _wrong(z, y)


def _forward(z: Logits, y: int, transition: list[list[float]] | None) -> Jet:
    return (
        _cost(z, y)
        if transition is None
        else -log(total([p * mpf(row[y]) for p, row in zip(_shares(z), transition, strict=True)]))
    )


LOGITS: dict[str, Callable[..., Jet]] = {
    "one_versus_rest": _one_versus_rest,
    "crammer_singer": lambda z, y: _positive(1 + _strongest(z, y)),
    "weston_watkins": lambda z, y: total([_positive(1 + x - z[y]) for i, x in enumerate(z) if i != y]),
    "multiclass_perceptron": _perceptron,
    "sparsemax": _sparsemax,
    "poly1": lambda z, y, epsilon: _cost(z, y) + mpf(epsilon) * _wrong(z, y),
    "categorical_focal": _focal,
    "multiclass_brier": _brier,
    "kl_divergence": _kl,
    "generalized_cross_entropy": _generalized,
    "symmetric_cross_entropy": _symmetric,
    "absolute_probability_error": lambda z, y: 2 * _wrong(z, y),
    "forward_corrected": _forward,
}


def logits_truth(name: str, prediction: Sequence[float], target: Any, given: dict[str, Any]) -> Exact:
    """Value, gradient and Hessian of a loss in LOGITS.

    Only differences of logits count (where the sign of a logit counts, the logit itself), each of them rounded, and its
    exponential rounded ROUNDINGS times. A masked class is exact; a label is, a vector of probabilities is not.
    """
    with mp.workdps(400):
        top = mpf(0) if name == "one_versus_rest" else max(mpf(x) for x in prediction)
        z = [mpf(x) - top if x > -mp.inf else _masked(name, i, target) for i, x in enumerate(prediction)]
        y = target if isinstance(target, int) else [mpf(share) for share in target]

        def orders(z: list[mpf], y: Any) -> list[list[mpf]]:
            return LOGITS[name](variables(z), y, **given).orders()

        truth = orders(z, y)

    def sensitivity() -> list[list[mpf]]:
        with mp.workdps(400):
            free = [i for i, x in enumerate(prediction) if x > -mp.inf]
            sizes = [(z[i], _rates(orders(_moved(z, i), y), truth)) for i in free]
            soft = [] if isinstance(y, int) else [i for i, q in enumerate(y) if q != 0]
            shares = [(y[i], _rates(orders(z, _moved(y, i)), truth)) for i in soft]
            return [
                [
                    mp.fsum((abs(x) + ROUNDINGS[order]) * rates[order][j] for x, rates in sizes)
                    + mp.fsum(q * rates[order][j] for q, rates in shares)
                    for j in range(len(entries))
                ]
                for order, entries in enumerate(truth)
            ]

    return Exact([[mp.inf if value > 1e7 else value for value in truth[0]], *truth[1:]], sensitivity)


def _moved(x: list[mpf], i: int) -> list[mpf]:
    return [*x[:i], x[i] + _STEP, *x[i + 1 :]]


def _rates(there: list[list[mpf]], here: list[list[mpf]]) -> list[list[mpf]]:
    # A jump, at a kink, is no sensitivity.
    rates = [[abs(a - b) / _STEP for a, b in zip(*order, strict=True)] for order in zip(there, here, strict=True)]
    return [[rate if rate < 1e15 else mpf(0) for rate in order] for order in rates]


def _masked(name: str, i: int, target: Any) -> mpf:
    # A mixture counts all masked classes alike.
    possible = target == i if isinstance(target, int) else target[i] > 0
    return MASKED_LABEL if possible or name == "forward_corrected" else MASKED_RIVAL
