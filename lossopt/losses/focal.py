"""The focal loss: cross-entropy that fades where the prediction is right."""

import functools
import math
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._arguments import like, Scalar, times, unit
from ._card import LossCard
from ._elementary import differentiated_by, sigmoid, softplus
from ._kinds import NON_NEGATIVE_FINITE, UNIT
from ._register import register


@functools.lru_cache(maxsize=256)
def focal_extrema(gamma: float) -> tuple[float, float, float]:
    """Largest |slope|, largest and least curvature of the focal loss of a margin: there is no closed form."""

    def slope(m: np.ndarray) -> np.ndarray:
        p, cost = 1 / (1 + np.exp(-m)), np.logaddexp(0, -m)
        return np.exp(-gamma * np.logaddexp(0, m)) * (gamma * p * cost + (1 - p))

    def curvature(m: np.ndarray) -> np.ndarray:
        p, cost = 1 / (1 + np.exp(-m)), np.logaddexp(0, -m)
        inner = gamma * p * (1 - p) * cost - gamma * p * (1 - p) - p * (1 - p)
        return np.exp(-gamma * np.logaddexp(0, m)) * (gamma * p * (gamma * p * cost + 1 - p) - inner)

    with np.errstate(over="raise", invalid="raise"):
        # The further out, the larger gamma is: they lie where gamma p is near 1.
        low = -60.0 - math.log1p(gamma)
        return _largest(slope, low), _largest(curvature, low), -_largest(lambda m: -curvature(m), low)


def _largest(fn: Callable[[np.ndarray], np.ndarray], low: float, high: float = 60.0) -> float:
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
        hyperparameters={"gamma": NON_NEGATIVE_FINITE, "alpha": UNIT},
        lipschitz=lambda gamma, alpha: _focal_scale(alpha) * focal_extrema(float(gamma))[0],
        smoothness=lambda gamma, alpha: _focal_scale(alpha) * focal_extrema(float(gamma))[1],
        least_curvature=lambda gamma, alpha: _focal_scale(alpha) * focal_extrema(float(gamma))[2] if gamma > 0 else 0.0,
        symmetric=lambda alpha: alpha in (None, 0.5),
        zero_at_perfect_fit=False,
        proper=lambda gamma, alpha: gamma == 0 and alpha in (None, 0.5),
        calibrated=lambda alpha: alpha in (None, 0.5),
        aliases={
            "optax.losses.sigmoid_focal_loss": 1.0,
            "keras.losses.binary_focal_crossentropy(from_logits=True)": 1.0,
        },
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
    weight = 1.0 if alpha is None else like(alpha, s)
    other = 1.0 if alpha is None else 1 - weight
    of_margin, gamma = _of_margin(_power(gamma)), like(gamma, s)
    return times(weight * y, of_margin(s, gamma)) + times(other * (1 - y), of_margin(-s, gamma))


def _power(gamma: ArrayLike) -> int | None:
    """Gamma, where it is known to be a small whole number."""
    return int(gamma) if isinstance(gamma, (int, float)) and gamma in (1, 2, 3, 4) else None


@functools.cache
def _of_margin(power: int | None) -> Callable[[Array, Array], Array]:
    """(1 - p)**gamma (-log p) for p = sigmoid(m), of (m, gamma): by multiplication where gamma is a known power."""

    def fading(m: Array, gamma: Array) -> Array:
        return jnp.exp(-times(gamma, softplus(m))) if power is None else sigmoid(-m) ** power

    def curvature(m: Array, gamma: Array) -> Array:
        p, q = sigmoid(m), sigmoid(-m)
        cost = times(p, softplus(-m))
        return fading(m, gamma) * (gamma * cost * (gamma * p - q) + (2 * gamma + 1) * p * q)

    @differentiated_by(curvature)
    def slope(m: Array, gamma: Array) -> Array:
        return -fading(m, gamma) * (gamma * times(sigmoid(m), softplus(-m)) + sigmoid(-m))

    @differentiated_by(slope)
    def loss(m: Array, gamma: Array) -> Array:
        return fading(m, gamma) * softplus(-m)

    return loss
