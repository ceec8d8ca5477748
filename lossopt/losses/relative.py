"""Losses in which an error counts beside the size of the target: of ratios and percentages."""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import floats, non_negative, Scalar, sided, times
from ._card import LossCard
from ._elementary import differentiated_by
from ._register import register


@differentiated_by(lambda prediction, target: 1 / (1 + prediction))
def _log_ratio(prediction: Array, target: Array) -> Array:
    """log((1 + prediction) / (1 + target)), as the log1p of a number that is not negative, which keeps its digits."""
    size, least = jnp.abs(prediction - target), jnp.minimum(prediction, target)
    return jnp.sign(prediction - target) * jnp.log1p(size / (1 + least))


def _squared_log_slope(prediction: Array, target: Array) -> Array:
    # At infinity the ratio is infinite and its slope 0; the product tends to 0.
    prediction = jnp.minimum(prediction, jnp.finfo(prediction.dtype).max)
    return 2 * _log_ratio(prediction, target) / (1 + prediction)


@differentiated_by(_squared_log_slope)
def _squared_log(prediction: Array, target: Array) -> Array:
    ratio = _log_ratio(prediction, target)
    return ratio * ratio


@register(
    LossCard(
        task="regression",
        prediction="above -1",
        target="non-negative",
        formula=r"\left(\log(1 + \hat y) - \log(1 + y)\right)^2",
        least_curvature=-math.exp(-3),
        redescending=True,
        symmetric=False,
        origin=2,
        tails=None,
        elicits="log1p mean",
        aliases={
            "keras.losses.mean_squared_logarithmic_error": 1.0,
            "sklearn.metrics.mean_squared_log_error": 1.0,
        },
        reference="Tofallis (2015)",
    )
)
def squared_log_error(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The squared error of log(1 + .): for counts and amounts, of which a small one and a large count alike.

    Formula: `(log1p(yhat) - log1p(y))**2`; the difference is the log1p of `|r| / (1 + min(yhat, y))` with the sign of
    r, so that it keeps its digits where the two are close and where one is near -1. Not convex: the pull of an
    over-prediction by more than a factor e dies out. The summand of scikit-learn's `mean_squared_log_error` and of
    Keras' (which clips). A model whose score is any real number is better fitted with squared_error to log1p(y).

    Args:
        prediction: a number of at least -1, where the loss is infinite; below it is NaN.
        target: a number of at least 0. The loss has no unit.

    Source: Tofallis (2015), Journal of the Operational Research Society 66, without the 1 that is added here.
    """
    prediction, target = floats(prediction, target)
    return _squared_log(prediction, non_negative(target))


def _non_zero(prediction: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    prediction, target = floats(prediction, target)
    return prediction, jnp.where(target == 0, jnp.nan, target)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="non-zero",
        formula=r"|r| / |y|",
        kinks=(0.0,),
        lipschitz=1.0,
        origin=1,
        elicits="weighted median",
        aliases={
            "keras.losses.mean_absolute_percentage_error": 0.01,
            "sklearn.metrics.mean_absolute_percentage_error": 1.0,
        },
        reference="Gneiting (2011)",
    )
)
def absolute_percentage_error(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The absolute error as a share of the target: the summand of MAPE. It favours models that predict too little.

    Formula: `|r| / |y|`, a fraction and not a percentage (Keras multiplies by 100, scikit-learn does not). The
    sub-gradient chosen at r = 0 is 0. The constant that it elicits is the median after each target is weighed by
    `1 / |y|`, which lies below the median.

    Args:
        prediction: a real number in the unit of the target. target: a real number other than 0. The loss has no unit.

    Source: Gneiting (2011), Journal of the American Statistical Association 106.
    """
    prediction, target = _non_zero(prediction, target)
    r, share = prediction - target, 1 / jnp.abs(target)
    return r * sided(r, -share, share)


def _half_sizes(prediction: Array, target: Array) -> tuple[Array, Array, Array]:
    """Half of r, half of |y|, half of |yhat| + |y|; halved so that no sum overflows; inf is held."""
    largest = jnp.finfo(prediction.dtype).max
    half, y = jnp.clip(prediction, -largest, largest) / 2, target / 2
    return half - y, jnp.abs(y), jnp.abs(half) + jnp.abs(y)


def _towards(prediction: Array, target: Array) -> Array:
    """The sign of r where prediction and target are on one side of 0, or the prediction is 0; else 0."""
    apart = jnp.sign(prediction) * jnp.sign(target) < 0
    return jnp.where(apart, 0.0, jnp.sign(prediction - target))


def _symmetric_curvature(prediction: Array, target: Array) -> Array:
    _, y, size = _half_sizes(prediction, target)
    return -2 * jnp.sign(target) * times(_towards(prediction, target), y / size / size / size)


@differentiated_by(_symmetric_curvature)
def _symmetric_slope(prediction: Array, target: Array) -> Array:
    _, y, size = _half_sizes(prediction, target)
    share = 1 / size
    return 2 * times(_towards(prediction, target), y * share * share)


@differentiated_by(_symmetric_slope)
def _symmetric_share(prediction: Array, target: Array) -> Array:
    r, _, size = _half_sizes(prediction, target)
    return 2 * (jnp.abs(r) / size)


@register(
    LossCard(
        task="regression",
        prediction="real",
        target="non-zero",
        formula=r"2 |r| / (|y| + |\hat y|)",
        kinks=(-1.0, 0.0),
        lipschitz=4.0,
        least_curvature=-math.inf,
        supremum=2.0,
        redescending=True,
        symmetric=False,
        origin=1,
        tails="constant",
        reference="Makridakis (1993)",
    )
)
def symmetric_absolute_percentage_error(prediction: Scalar, target: Scalar) -> Float[Array, ""]:
    """The absolute error as a share of the mean size of prediction and target: the summand of sMAPE, never above 2.

    Formula: `2 |r| / (|y| + |yhat|)`, a fraction and not a percentage. Symmetric in prediction and target, not in the
    residual. Exactly 2, and flat, where the signs differ; between 0 and the target the slope is
    `4 |y| / (|y| + |yhat|)**2` towards it, from that closed form, because the quotient's own derivative cancels. At
    `yhat = 0` the slope on the side of the target is chosen, so that a model that starts from 0 can leave it; at a
    perfect fit 0. On the card the residual is in units of the target: the kinks lie at `yhat = 0` and `yhat = y`.

    Args:
        prediction: a real number in the unit of the target. target: a real number other than 0. The loss has no unit.

    Source: Makridakis (1993), International Journal of Forecasting 9.
    """
    return _symmetric_share(*_non_zero(prediction, target))
