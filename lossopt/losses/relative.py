"""Losses in which an error counts beside the size of the target: of ratios, percentages and directions."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import floats, non_negative, Scalar, sided, Vector
from ._card import LossCard, register
from ._elementary import differentiated_by


@differentiated_by(lambda prediction, target: 1 / (1 + prediction))
def _log_ratio(prediction: Array, target: Array) -> Array:
    """log((1 + prediction) / (1 + target)), as the log1p of a number that is not negative, which keeps its digits."""
    size, least = jnp.abs(prediction - target), jnp.minimum(prediction, target)
    return sided(prediction - target, -1.0, 1.0) * jnp.log1p(size / (1 + least))


def _squared_log_slope(prediction: Array, target: Array) -> Array:
    # At infinity the ratio is infinite and its slope 0; the product tends to 0.
    far = prediction == jnp.inf
    prediction = jnp.where(far, 0.0, prediction)
    return jnp.where(far, 0.0, 2 * _log_ratio(prediction, target) / (1 + prediction))


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

    Source: scikit-learn user guide, "Mean squared logarithmic error"; the squared error of Box and Cox (1964) at 0.
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

    Source: Gneiting (2011), Journal of the American Statistical Association 106, section 3.3.
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
    r = prediction - target
    return jnp.where((prediction < 0) & (target > 0) | (prediction > 0) & (target < 0), 0.0, sided(r, -1.0, 1.0))


def _symmetric_curvature(prediction: Array, target: Array) -> Array:
    _, y, size = _half_sizes(prediction, target)
    return -2 * jnp.sign(target) * _towards(prediction, target) * (y / size / size / size)


@differentiated_by(_symmetric_curvature)
def _symmetric_slope(prediction: Array, target: Array) -> Array:
    _, y, size = _half_sizes(prediction, target)
    share = 1 / size
    return 2 * _towards(prediction, target) * (y * share * share)


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


def _directions(prediction: Array, target: Array) -> tuple[Array, Array, Array, Array]:
    """Both over their lengths, the length of the prediction, and whether it is 0 (then its length is called 1)."""
    largest, other = jnp.max(jnp.abs(prediction)), jnp.max(jnp.abs(target))
    nowhere = largest == 0
    unit = jnp.where(nowhere, 1.0, largest)
    first, second = prediction / unit, target / other
    length = jnp.where(nowhere, 1.0, jnp.sqrt(jnp.sum(first * first)))
    return first / length, second / jnp.sqrt(jnp.sum(second * second)), unit * length, nowhere


@jax.custom_jvp
def _cosine_distance(prediction: Array, target: Array) -> Array:
    a, b, _, nowhere = _directions(prediction, target)
    # Equal vectors are 0 apart, whatever the compiler does with the sums in their lengths.
    apart = jnp.where(jnp.all(prediction == target), 0.0, a - b)
    return jnp.where(nowhere, 1 + 0 * b[0], jnp.sum(apart * apart) / 2)


@functools.partial(_cosine_distance.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    # The two arguments may be exchanged, and so may their slopes.
    slopes = [jnp.sum(_turn(*at) * d) for at, d in zip((primals, primals[::-1]), tangents, strict=True) if _asked(d)]
    return _cosine_distance(*primals), sum(slopes, jnp.zeros((), primals[0].dtype))


def _asked(tangent: Any) -> bool:
    return not isinstance(tangent, SymbolicZero)


@jax.custom_jvp
def _turn(prediction: Array, target: Array) -> Array:
    """The slope: minus the part of b across a, over n; -b at the prediction 0, where a is 0 and n is 1."""
    a, b, n, nowhere = _directions(prediction, target)
    return -jnp.where(nowhere, b, _across(a, b) / n)


@functools.partial(_turn.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    a, b, n, nowhere = _directions(*primals)
    c, g = jnp.sum(a * b), _turn(*primals)
    change = jnp.zeros_like(a)
    if _asked(tangents[0]):
        d = tangents[0] / n
        across = c * _across(a, d) / n
        change += jnp.where(nowhere, 0 * b, across - a * jnp.sum(g * d) - g * jnp.sum(a * d))
    if _asked(tangents[1]):
        moved = _across(b, tangents[1]) / _directions(*primals[::-1])[2]
        change += (a * jnp.sum(a * moved) - moved) / n
    return g, change


def _across(a: Array, d: Array) -> Array:
    """d less its part along the unit vector a; first less a multiple of a that leaves no entry where a is largest."""
    largest = jnp.argmax(jnp.abs(a)) == jnp.arange(a.size)
    most = jnp.sum(jnp.where(largest, a, 0.0))
    ratio = jnp.sum(jnp.where(largest, d, 0.0)) / jnp.where(most == 0, 1.0, most)
    d = jnp.where(largest, 0.0, d - a * ratio)
    return d - a * jnp.sum(a * d)


@register(
    LossCard(
        task="regression",
        prediction="vector",
        target="direction",
        formula=r"1 - \frac{\langle \hat y, y\rangle}{\|\hat y\| \|y\|}",
        least_curvature=-math.inf,
        supremum=2.0,
        redescending=True,
        symmetric=False,
        origin=2,
        tails="constant",
        elicits="mean direction",
        aliases={"optax.losses.cosine_distance": 1.0},
        reference="Mardia (1972)",
    )
)
def cosine_distance(prediction: Vector, target: Vector) -> Float[Array, ""]:
    """One minus the cosine of the angle between two vectors: lengths do not count. 0 is parallel, 2 opposite.

    Formula: `1 - <yhat, y> / (|yhat| |y|)`, computed as half the squared distance between the two unit vectors, which
    keeps its digits where they are nearly parallel; each is first divided by its largest entry, so that no square
    overflows. The slope has the size `sin(angle) / |yhat|`. A prediction of 0 has no direction: its loss is 1, that of
    a right angle, and as its slope minus the target's direction is chosen, so that a model that starts from 0 leaves it
    the right way. scipy.spatial.distance.cosine and optax have the same factor.

    Args:
        prediction: (k,) real numbers. target: (k,) real numbers, not all 0. The loss has no unit.

    Raises:
        ValueError: the two are not vectors of one length.

    Source: Mardia (1972), Statistics of Directional Data, section 2.2.
    """
    prediction, target = floats(prediction, target)
    if prediction.ndim != 1 or prediction.shape != target.shape:
        raise ValueError(
            f"cosine_distance takes two vectors of one length, not shapes {prediction.shape} and {target.shape}."
        )
    return _cosine_distance(prediction, target)
