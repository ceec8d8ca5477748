"""Losses of a logit s (or, where named, a probability) and a target in {0, 1}; m is the margin (2 target - 1) s."""

import functools
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._arguments import like, margin, Scalar, sided, times, unit
from ._card import LossCard, NON_NEGATIVE, POSITIVE_FINITE, register, UNIT
from ._elementary import differentiated_by, sigmoid, softplus


@register(
    LossCard(
        task="binary",
        prediction="probability",
        target="unit",
        formula=r"-[y \log p + (1 - y)\log(1 - p)]",
        least_curvature=1.0,
        tails=None,
        elicits="probability",
        proper=True,
        calibrated=True,
        noise="bernoulli",
        reference="Good (1952)",
    )
)
def binary_cross_entropy(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The textbook cross-entropy of a *probability*. To train, use `logistic`, which takes a logit.

    Formula: `-(y log p + (1 - y) log(1 - p))`. Exactly 0 at p = y in {0, 1}, inf where a certain prediction is
    wrong, NaN outside [0, 1]: nothing is clipped. Keras' `binary_crossentropy` clips p at 1e-7.

    Args:
        prediction: a probability in [0, 1]. target: a probability, most often 0 or 1. The loss is in nats.

    Source: Good (1952), Journal of the Royal Statistical Society B 14, section 8.
    """
    p, y = unit(prediction, target)
    # A factor, and not a choice, so that the slope is NaN as well.
    p = p * jnp.where((p < 0) | (p > 1), jnp.nan, 1.0)
    yes, no = jnp.where(y == 0, 1.0, p), jnp.where(y == 1, 0.0, p)
    return -times(y, jnp.log(yes)) - times(1 - y, jnp.log1p(-no))


def _plain(positive_weight: float, label_smoothing: float) -> bool:
    return positive_weight == 1 and label_smoothing == 0


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="unit",
        formula=r"w\,y \log(1 + e^{-s}) + (1 - y)\log(1 + e^{s})",
        hyperparameters={"positive_weight": POSITIVE_FINITE, "label_smoothing": UNIT},
        lipschitz=lambda positive_weight, label_smoothing: max(positive_weight, 1.0) * (1 - label_smoothing / 2),
        smoothness=lambda positive_weight, label_smoothing: (
            (max(positive_weight, 1.0) * (1 - label_smoothing / 2) + min(positive_weight, 1.0) * label_smoothing / 2)
            / 4
        ),
        symmetric=lambda positive_weight: positive_weight == 1,
        zero_at_perfect_fit=False,
        elicits=lambda positive_weight, label_smoothing: (
            "log-odds" if _plain(positive_weight, label_smoothing) else None
        ),
        proper=_plain,
        calibrated=lambda positive_weight, label_smoothing: positive_weight == 1 and label_smoothing < 1,
        noise=lambda positive_weight, label_smoothing: (
            "bernoulli" if _plain(positive_weight, label_smoothing) else None
        ),
        aliases={"optax.losses.sigmoid_binary_cross_entropy": 1.0},
        reference="Cox (1958)",
    )
)
def logistic(
    prediction: Scalar, target: Scalar, *, positive_weight: ArrayLike = 1.0, label_smoothing: ArrayLike = 0.0
) -> Float[Array, ""]:
    """Binary cross-entropy of a logit: the loss to train a classifier with.

    Formula: `w y softplus(-s) + (1 - y) softplus(s)`, where label smoothing first moves y to
    `y (1 - smoothing) + smoothing / 2`. Written as two softpluses and not as `softplus(s) - y s`, so the loss of
    a confident, right prediction keeps its digits. optax: `sigmoid_binary_cross_entropy`; PyTorch:
    `BCEWithLogitsLoss(pos_weight)`; scikit-learn: `HalfBinomialLoss`, with this factor.

    Args:
        prediction: a logit, any real number. target: a probability, most often 0 or 1. The loss is in nats.
        positive_weight: weight of the positive class against 1 of the negative, in (0, inf).
        label_smoothing: in [0, 1].

    Source: Cox (1958), Journal of the Royal Statistical Society B 20.
    """
    s, y = unit(prediction, target)
    weight, smoothing = like(positive_weight, s), like(label_smoothing, s)
    y = y * (1 - smoothing) + smoothing / 2
    return times(weight * y, softplus(-s)) + times(1 - y, softplus(s))


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"\max(0, 1 - m)",
        kinks=(1.0,),
        lipschitz=1.0,
        elicits="sign",
        proper=False,
        calibrated=True,
        reference="Cortes and Vapnik (1995)",
    )
)
def hinge(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The support-vector loss: linear up to the margin 1, zero beyond.

    Formula: `max(0, 1 - m)`; the sub-gradient chosen at m = 1 is 0. optax's `hinge_loss` and scikit-learn's
    `hinge_loss` are the same for labels of ±1; here the target is 0 or 1, as for every binary loss.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Cortes and Vapnik (1995), Machine Learning 20.
    """
    m = margin(prediction, target)
    return times(-sided(m - 1, -1.0, 0.0), 1 - m)


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="binary",
        formula=r"\max(0, 1 - m)^2",
        smoothness=2.0,
        tails="quadratic",
        elicits="twice the probability less one",
        proper=False,
        calibrated=True,
        reference="Chang, Hsieh and Lin (2008)",
    )
)
def squared_hinge(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The hinge squared: differentiable everywhere, and quadratic on the wrong side.

    Formula: `max(0, 1 - m)**2`, without a factor one half, as in Keras and scikit-learn's LinearSVC.

    Args:
        prediction: a score, any real number. target: 0 or 1.

    Source: Chang, Hsieh and Lin (2008), Journal of Machine Learning Research 9, equation (2).
    """
    m = margin(prediction, target)
    short = jnp.where(m >= 1, 0.0, 1 - m)
    return short * short


@functools.lru_cache(maxsize=256)
def _focal_extrema(gamma: float) -> tuple[float, float, float]:
    """Largest |slope|, largest and least curvature of the focal loss of a margin: there is no closed form."""

    def slope(m: np.ndarray) -> np.ndarray:
        p, cost = 1 / (1 + np.exp(-m)), np.logaddexp(0, -m)
        return np.exp(-gamma * np.logaddexp(0, m)) * (gamma * p * cost + (1 - p))

    def curvature(m: np.ndarray) -> np.ndarray:
        p, cost = 1 / (1 + np.exp(-m)), np.logaddexp(0, -m)
        inner = gamma * p * (1 - p) * cost - gamma * p * (1 - p) - p * (1 - p)
        return np.exp(-gamma * np.logaddexp(0, m)) * (gamma * p * (gamma * p * cost + 1 - p) - inner)

    return _largest(slope), _largest(curvature), -_largest(lambda m: -curvature(m))


def _largest(fn: Callable[[np.ndarray], np.ndarray], low: float = -60.0, high: float = 60.0) -> float:
    # Three nested grids: the last has steps near 1e-7, so a smooth maximum is right to 1e-14.
    for _ in range(4):
        grid = np.linspace(low, high, 4001)
        values = fn(grid)
        best = int(np.argmax(values))
        low, high = grid[max(best - 2, 0)], grid[min(best + 2, grid.size - 1)]
    return float(values[best])


def _focal_scale(alpha: float | None) -> float:
    return 1.0 if alpha is None else max(alpha, 1 - alpha)


@register(
    LossCard(
        task="binary",
        prediction="logit",
        target="unit",
        formula=r"\alpha_t (1 - p_t)^\gamma (-\log p_t)",
        hyperparameters={"gamma": NON_NEGATIVE, "alpha": UNIT},
        lipschitz=lambda gamma, alpha: _focal_scale(alpha) * _focal_extrema(float(gamma))[0],
        smoothness=lambda gamma, alpha: _focal_scale(alpha) * _focal_extrema(float(gamma))[1],
        least_curvature=lambda gamma, alpha: (
            _focal_scale(alpha) * _focal_extrema(float(gamma))[2] if gamma > 0 else 0.0
        ),
        symmetric=lambda alpha: alpha in (None, 0.5),
        zero_at_perfect_fit=False,
        proper=lambda gamma, alpha: gamma == 0 and alpha in (None, 0.5),
        calibrated=lambda alpha: alpha in (None, 0.5),
        aliases={"optax.losses.sigmoid_focal_loss": 1.0},
        reference="Lin et al. (2017)",
    )
)
def focal(
    prediction: Scalar, target: Scalar, *, gamma: ArrayLike = 2.0, alpha: ArrayLike | None = None
) -> Float[Array, ""]:
    """Cross-entropy that turns away from easy examples. It is not proper: its minimiser is not the probability.

    Formula: `alpha_t (1 - p_t)**gamma (-log p_t)`. Since `1 - p_t = exp(-softplus(m))`, the power is an
    exponential, and no derivative is infinite for gamma below 1 or at any logit. optax:
    `sigmoid_focal_loss`; a soft label mixes the two classes' losses here (there it mixes p_t).

    Args:
        prediction: a logit, any real number. target: a probability, most often 0 or 1. The loss is in nats.
        gamma: how fast easy examples fade, in [0, inf); 0 is cross-entropy.
        alpha: weight of the positive class, against 1 - alpha of the negative; None weighs both by 1.

    Source: Lin et al. (2017), ICCV, equations (4) and (5).
    """
    s, y = unit(prediction, target)
    gamma = like(gamma, s)
    weight = 1.0 if alpha is None else like(alpha, s)
    other = 1.0 if alpha is None else 1 - weight
    return times(weight * y, _focal_margin(s, gamma)) + times(other * (1 - y), _focal_margin(-s, gamma))


def _fading(m: Array, gamma: Array) -> Array:
    """(1 - p)**gamma for p = sigmoid(m)."""
    return jnp.exp(-times(gamma, softplus(m)))


def _focal_curvature(m: Array, gamma: Array) -> Array:
    p, q = sigmoid(m), sigmoid(-m)
    cost = times(p, softplus(-m))
    return _fading(m, gamma) * (gamma * cost * (gamma * p - q) + (2 * gamma + 1) * p * q)


@differentiated_by(_focal_curvature)
def _focal_slope(m: Array, gamma: Array) -> Array:
    return -_fading(m, gamma) * (gamma * times(sigmoid(m), softplus(-m)) + sigmoid(-m))


@differentiated_by(_focal_slope)
def _focal_margin(m: Array, gamma: Array) -> Array:
    """(1 - p)**gamma (-log p) for p = sigmoid(m)."""
    return _fading(m, gamma) * softplus(-m)
