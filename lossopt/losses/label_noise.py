"""Losses of logits for labels of which some are wrong: bounded, or told how the labels were corrupted."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import label, like, Scalar, times, Vector
from ._card import LossCard
from ._elementary import differentiated_by, power_growth
from ._kinds import Growth, Interval, NON_NEGATIVE_FINITE, UNIT
from ._mixture import mixed
from ._register import register
from ._softmax import cross_entropy, missed
from .margin_robust import SIGMOID_BEND
from .multiclass_scores import poly_bends, poly_slope


def _power_bends(q: float) -> tuple[float, float]:
    """The largest and the least curvature of `(1 - p**q) / q` in the margin of two classes, p = sigmoid(m)."""
    # p**q (-q + (1 + 2 q) p - (1 + q) p**2) is extreme where -q**2 + (1 + q) (1 + 2 q) p = (1 + q) (2 + q) p**2.
    b, c = (1 + q) * (1 + 2 * q), (1 + q) * (2 + q)
    root = math.sqrt(b * b - 4 * c * q * q)
    found = [p**q * (1 - p) * ((1 + q) * p - q) for p in ((b + root) / (2 * c), (b - root) / (2 * c))]
    return max(found), min(0.0, *found)


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"(1 - p_y^q) / q",
        hyperparameters={"q": UNIT},
        lipschitz=lambda q: math.sqrt(2) * (q / (1 + q)) ** q / (1 + q),
        smoothness=lambda q: 2 * _power_bends(q)[0],
        least_curvature=lambda q: 2 * _power_bends(q)[1],
        supremum=lambda q: 1 / q if q > 0 else math.inf,
        redescending=lambda q: q > 0,
        tails=lambda q: "constant" if q > 0 else "linear",
        zero_at_perfect_fit=False,
        elicits=lambda q: "log-odds" if q == 0 else None,
        proper=lambda q: q == 0,
        calibrated=True,
        noise_symmetric=lambda q: q == 1,
        noise=lambda q: "categorical" if q == 0 else None,
        reference="Zhang and Sabuncu (2018)",
    )
)
def generalized_cross_entropy(prediction: Vector, target: Scalar, *, q: ArrayLike = 0.7) -> Float[Array, ""]:
    """Between cross-entropy (q = 0) and the probability of the wrong classes (q = 1), which label noise does not bias.

    Formula: `(1 - p_y**q) / q`, as `c (1 - e^(-q c)) / (q c)` with the cross-entropy c, which is exact through q = 0.
    Bounded by 1/q; not convex for q > 0. A masked label (a logit of -inf) costs 1/q.

    Args:
        prediction: (k,) logits; -inf masks a class. target: an integer in [0, k).
        q: in [0, 1].

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Zhang and Sabuncu (2018), Neural Information Processing Systems 31, equation (6).
    """
    logits, y, legal = label(prediction, target)
    return legal * _box_cox(cross_entropy(logits, y), like(q, logits))


@differentiated_by(lambda cost, q: jnp.exp(-times(q, cost)))
def _box_cox(cost: Array, q: Array) -> Array:
    """(1 - p**q) / q for p = exp(-cost)."""
    far = jnp.isinf(cost)
    near = jnp.where(far, 0.0, cost)
    limit = jnp.where(q == 0, jnp.inf, 1 / jnp.where(q == 0, 1.0, q))
    return jnp.where(far, limit, -power_growth(-near, q))


def _reverse(beta: float, log_zero: float) -> float:
    return -beta * log_zero


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"-\alpha \log p_y - \beta A (1 - p_y)",
        hyperparameters={
            "alpha": NON_NEGATIVE_FINITE,
            "beta": NON_NEGATIVE_FINITE,
            "log_zero": Interval(-math.inf, 0.0, (False, True)),
        },
        lipschitz=lambda alpha, beta, log_zero: math.sqrt(2) * poly_slope(alpha, _reverse(beta, log_zero)),
        smoothness=lambda alpha, beta, log_zero: 2 * poly_bends(alpha, _reverse(beta, log_zero))[0],
        least_curvature=lambda alpha, beta, log_zero: 2 * poly_bends(alpha, _reverse(beta, log_zero))[1],
        supremum=lambda alpha, beta, log_zero: math.inf if alpha > 0 else _reverse(beta, log_zero),
        redescending=lambda alpha: alpha == 0,
        tails=lambda alpha: "linear" if alpha > 0 else "constant",
        zero_at_perfect_fit=lambda alpha, beta, log_zero: alpha == 0 and _reverse(beta, log_zero) == 0,
        elicits=lambda alpha, beta, log_zero: "log-odds" if alpha > 0 and _reverse(beta, log_zero) == 0 else None,
        proper=lambda alpha, beta, log_zero: alpha > 0 and _reverse(beta, log_zero) == 0,
        calibrated=lambda alpha, beta, log_zero: alpha > 0 or _reverse(beta, log_zero) > 0,
        noise_symmetric=lambda alpha: alpha == 0,
        reference="Wang et al. (2019)",
    )
)
def symmetric_cross_entropy(
    prediction: Vector, target: Scalar, *, alpha: ArrayLike = 0.1, beta: ArrayLike = 1.0, log_zero: ArrayLike = -4.0
) -> Float[Array, ""]:
    """Cross-entropy plus cross-entropy with the roles exchanged, which label noise does not bias.

    Formula: `alpha (-log p_y) + beta (-sum_i p_i log [i = y])` with log 0 replaced by the constant `log_zero`, so the
    second term is `-beta log_zero (1 - p_y)`. Only the product of beta and log_zero matters.

    Args:
        prediction: (k,) logits; -inf masks a class. target: an integer in [0, k). The loss is in nats.
        alpha: weight of cross-entropy, in [0, inf). beta: weight of the reverse, in [0, inf).
        log_zero: what stands for log 0, in (-inf, 0].

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Wang et al. (2019), ICCV, equation (7); the defaults are theirs for CIFAR-10.
    """
    logits, y, legal = label(prediction, target)
    alpha, reverse = like(alpha, logits), -like(beta, logits) * like(log_zero, logits)
    cost = cross_entropy(logits, y)
    return legal * (times(alpha, cost) + reverse * missed(cost))


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"\sum_i |p_i - [i = y]| = 2 (1 - p_y)",
        lipschitz=math.sqrt(2) / 2,
        smoothness=4 * SIGMOID_BEND,
        least_curvature=-4 * SIGMOID_BEND,
        supremum=2.0,
        redescending=True,
        tails="constant",
        zero_at_perfect_fit=False,
        proper=False,
        calibrated=True,
        noise_symmetric=True,
        reference="Ghosh, Kumar and Sastry (2017)",
    )
)
def absolute_probability_error(prediction: Vector, target: Scalar) -> Float[Array, ""]:
    """Absolute error of the probabilities that logits state: symmetric label noise does not bias it.

    Formula: `sum_i |softmax(z)_i - [i = y]| = 2 (1 - p_y)`: twice `generalized_cross_entropy` at q = 1. Also called
    MAE. It learns slowly, for its slope vanishes on what is badly wrong as well.

    Args:
        prediction: (k,) logits; -inf masks a class. target: an integer in [0, k).

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Ghosh, Kumar and Sastry (2017), AAAI 31.
    """
    logits, y, legal = label(prediction, target)
    return legal * 2 * missed(cross_entropy(logits, y))


def _clean(transition: ArrayLike | None) -> bool:
    return transition is None or bool(np.array_equal(np.asarray(transition), np.eye(len(np.asarray(transition)))))


def _worst(transition: ArrayLike | None) -> float | None:
    """The largest loss: that of a label which the class predicted cannot give, or seldom gives."""
    if _clean(transition):
        return math.inf
    least = float(np.min(np.asarray(transition)))
    return -math.log(least) if least > 0 else None


def _flat(transition: ArrayLike | None) -> bool | None:
    worst = _worst(transition)
    return None if worst is None else math.isfinite(worst)


def _growth(transition: ArrayLike | None) -> Growth | None:
    flat = _flat(transition)
    return None if flat is None else "constant" if flat else "linear"


@register(
    LossCard(
        task="multiclass",
        prediction="logits",
        target="label",
        formula=r"-\log \sum_i p_i T_{iy}",
        hyperparameters={"transition": UNIT},
        lipschitz=lambda transition: math.sqrt(2) if _clean(transition) else None,
        smoothness=lambda transition: 0.5 if _clean(transition) else None,
        least_curvature=lambda transition: 0.0 if _clean(transition) else None,
        supremum=_worst,
        redescending=_flat,
        symmetric=lambda transition: True if _clean(transition) else None,
        tails=_growth,
        zero_at_perfect_fit=False,
        elicits=lambda transition: "log-odds" if _clean(transition) else None,
        proper=_clean,
        calibrated=lambda transition: True if _clean(transition) else None,
        noise="categorical",
        reference="Patrini et al. (2017)",
    )
)
def forward_corrected(prediction: Vector, target: Scalar, *, transition: ArrayLike | None = None) -> Float[Array, ""]:
    """Cross-entropy of the probabilities that the *recorded* labels have, when it is known how labels get confused.

    Formula: `-log sum_i softmax(z)_i T[i, y]`, where `T[i, j]` is the probability that a true class i is recorded as j.
    Fitted to noisy labels, the logits are those of the true classes. Small losses are
    `-log1p(-sum_i p_i (1 - T[i, y]))`, large ones stay in logarithms throughout.

    Args:
        prediction: (k,) logits; -inf masks a class. target: an integer in [0, k), as recorded. The loss is in nats.
        transition: (k, k) probabilities, each row summing to 1; None for labels without errors.

    Raises:
        TypeError: the target is not an integer. ValueError: the shapes are wrong.

    Source: Patrini, Rozza, Menon, Nock and Qu (2017), CVPR, theorem 2.
    """
    logits, y, legal = label(prediction, target)
    if transition is None:
        return legal * cross_entropy(logits, y)
    matrix = like(transition, logits)
    if matrix.shape != (logits.size, logits.size):
        raise ValueError(
            f"The transition matrix of {logits.size} classes needs shape {(logits.size,) * 2}, not {matrix.shape}."
        )
    return legal * mixed(logits, jnp.sum(jnp.where(y == 1, matrix, 0.0), axis=1))
