"""Quantiles and expectiles: losses that cost more on one side of the target than on the other."""

import math

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from ._arguments import floats, like, residual, Scalar, sided, Vector
from ._card import LossCard
from ._elementary import differentiated_by, log1p_of_fraction, sigmoid, tanh
from ._kinds import POSITIVE_FINITE, UNIT_OPEN
from ._register import register
from .regression import LOG_COSH_95


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"\max(\tau(y - \hat y),\ (\tau - 1)(y - \hat y))",
        hyperparameters={"level": UNIT_OPEN},
        kinks=(0.0,),
        lipschitz=lambda level: max(level, 1 - level),
        symmetric=lambda level: level == 0.5,
        origin=1,
        elicits="quantile",
        efficiency=lambda level: 2 / math.pi if level == 0.5 else None,
        noise="asymmetric laplace",
        aliases={
            "sklearn._loss.PinballLoss": 1.0,
            "sklearn.metrics.mean_pinball_loss": 1.0,
        },
        reference="Koenker and Bassett (1978)",
    )
)
def quantile(prediction: Scalar, target: Scalar, *, level: ArrayLike = 0.5) -> Float[Array, ""]:
    """The pinball: under-prediction costs `level` a unit, over-prediction `1 - level`.

    Formula: `max(level (y - yhat), (level - 1)(y - yhat))`; half the absolute error at level 0.5. The
    sub-gradient chosen at r = 0 is 0. Also called pinball or check loss, with this factor everywhere.

    Args:
        prediction, target: real numbers in the unit of the target, which is also the loss's.
        level: the quantile asked for, in (0, 1).

    Source: Koenker and Bassett (1978), Econometrica 46, equation (1.2).
    """
    r = residual(prediction, target)
    level = like(level, r)
    return r * sided(r, -level, 1 - level)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"|\tau - \mathbf{1}(y < \hat y)|\, r^2",
        hyperparameters={"level": UNIT_OPEN},
        lipschitz=math.inf,
        smoothness=lambda level: 2 * max(level, 1 - level),
        least_curvature=lambda level: 2 * min(level, 1 - level),
        symmetric=lambda level: level == 0.5,
        origin=2,
        tails="quadratic",
        elicits="expectile",
        efficiency=lambda level: 1.0 if level == 0.5 else None,
        noise="asymmetric gaussian",
        reference="Newey and Powell (1987)",
    )
)
def expectile(prediction: Scalar, target: Scalar, *, level: ArrayLike = 0.5) -> Float[Array, ""]:
    """Squared error that weighs under-prediction by `level` and over-prediction by `1 - level`.

    Formula: `|level - 1(y < yhat)| r**2`; half the squared error at level 0.5. At r = 0 the curvature of
    the side of under-prediction, `2 level`, is reported.

    Args:
        prediction, target: real numbers in the unit of the target; the loss is in its square.
        level: the expectile asked for, in (0, 1).

    Source: Newey and Powell (1987), Econometrica 55, equation (2.1).
    """
    r = residual(prediction, target)
    level = like(level, r)
    return jnp.where(r > 0, 1 - level, level) * r * r


def _logistic_density(x: Array, level: Array) -> Array:
    return sigmoid(x) * sigmoid(-x)


@differentiated_by(_logistic_density)
def _smooth_slope(x: Array, level: Array) -> Array:
    """sigmoid(x) - level, as a difference of two numbers of which neither is near 1/2 more than their difference is."""
    middle = tanh(x / 2) / 2 + (0.5 - level)
    return jnp.where(jnp.abs(x) < 1, middle, jnp.where(x < 0, sigmoid(x) - level, (1 - level) - sigmoid(-x)))


@differentiated_by(lambda r, level, h: _smooth_slope(r / h, level))
def _smooth_pinball(r: Array, level: Array, h: Array) -> Array:
    """h softplus(r/h) - level r, as a sum of two numbers that are not negative."""
    return r * sided(r, -level, 1 - level) + h * log1p_of_fraction(jnp.exp(-jnp.abs(r / h)))


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="real",
        formula=r"h \log\left(1 + e^{r/h}\right) - \tau r",
        hyperparameters={"level": UNIT_OPEN, "bandwidth": POSITIVE_FINITE},
        lipschitz=lambda level: max(level, 1 - level),
        smoothness=lambda bandwidth: 1 / (4 * bandwidth),
        symmetric=lambda level: level == 0.5,
        origin=lambda level: 2 if level == 0.5 else 1,
        zero_at_perfect_fit=False,
        elicits="smoothed quantile",
        efficiency=lambda level, bandwidth: 0.95 if (level, bandwidth) == (0.5, LOG_COSH_95 / 2) else None,
        noise=lambda level, bandwidth: "hyperbolic secant" if (level, bandwidth) == (0.5, 1) else None,
        reference="Fernandes, Guerre and Horta (2021)",
    )
)
def smooth_quantile(
    prediction: Scalar, target: Scalar, *, level: ArrayLike = 0.5, bandwidth: ArrayLike = 1.0
) -> Float[Array, ""]:
    """The pinball without its kink: averaged over a logistic spread of the target. Newton's method works on it.

    Formula: `h log(1 + exp(r/h)) - level r`, the convolution of the pinball with the logistic density of scale h,
    computed as the pinball of r and `h log1p(exp(-|r|/h))`, of which neither is negative. The slope is
    `sigmoid(r/h) - level`. The logistic kernel is chosen because all of its derivatives are in closed form.

    It elicits the quantile of `target + h noise` with logistic noise: where level is not 1/2 its minimum lies
    `h log(level / (1 - level))` from the target, and it is not 0 there. At level 1/2 it is
    `h log cosh(r / (2 h))` and `h log 2`. It tends to the pinball as h falls to 0.

    Args:
        prediction, target: real numbers in the unit of the target, which is also the loss's.
        level: the quantile asked for, in (0, 1).
        bandwidth: h, the scale of the kernel in the unit of the target, in (0, inf).

    Source: Fernandes, Guerre and Horta (2021), Journal of Business & Economic Statistics 39;
        He, Pan, Tan and Zhou (2023), Journal of Econometrics 232, for this kernel.
    """
    r = residual(prediction, target)
    return _smooth_pinball(r, like(level, r), like(bandwidth, r))


def _steepest(levels: Vector | tuple[float, ...]) -> float:
    sides = [max(level, 1 - level) for level in np.asarray(levels).tolist()]
    return math.hypot(*sides) / len(sides)


@register(
    LossCard(
        task="regression",
        prediction="quantiles",
        target="real",
        formula=r"\tfrac1k \sum_i \max(\tau_i(y - \hat y_i),\ (\tau_i - 1)(y - \hat y_i))",
        hyperparameters={"levels": UNIT_OPEN},
        kinks=(0.0,),
        lipschitz=_steepest,
        symmetric=lambda levels: bool(np.all(np.asarray(levels) == 0.5)),
        origin=1,
        elicits="quantiles",
        reference="Koenker and Bassett (1978)",
    )
)
def multi_quantile(
    prediction: Vector, target: Scalar, *, levels: Vector | tuple[Scalar, ...] = (0.1, 0.5, 0.9)
) -> Float[Array, ""]:
    """The mean of the pinballs of several quantiles at once: the prediction is a vector with one entry a level.

    Formula: `mean_i max(level_i (y - yhat_i), (level_i - 1)(y - yhat_i))`. The sub-gradient chosen where an entry
    equals the target is 0. Nothing keeps the entries in order: sort them, or predict their differences. Over a
    fine, even grid of levels twice this loss tends to the continuous ranked probability score.

    Args:
        prediction: (k,) numbers in the unit of the target, which is also the loss's. target: a real number.
        levels: (k,) levels in (0, 1).

    Raises:
        ValueError: prediction and levels are not vectors of one length, or the target is not a number.

    Source: Koenker and Bassett (1978), Econometrica 46, equation (1.2); the sum over levels: Zou and Yuan (2008),
        Annals of Statistics 36.
    """
    prediction, target = floats(prediction, target)
    level = jnp.asarray(levels, prediction.dtype)
    if prediction.ndim != 1 or prediction.shape != level.shape or target.ndim != 0:
        raise ValueError(
            f"multi_quantile takes a vector with one prediction a level and one target, not shapes {prediction.shape} "
            f"and {target.shape} with {level.size} levels; for one level use quantile."
        )
    r = prediction - target
    return jnp.mean(r * sided(r, -level, 1 - level))
