"""Losses of the log of a mean, for amounts that are never negative: durations, claims, rainfall.

Half the deviance of the Tweedie family, without the terms of the target alone, or with them by `full=True`: see counts.
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import counted, like, Scalar, times
from ._card import LossCard
from ._deviance import above_fit, half_deviance
from ._elementary import differentiated_by, excess, power_growth, relative_excess, weighed
from ._kinds import ANY_FINITE, UNIT
from ._register import register


def _gamma_curvature(s: Array, y: Array) -> Array:
    return y * jnp.exp(-s)


@differentiated_by(_gamma_curvature)
def _gamma_slope(s: Array, y: Array) -> Array:
    return 1 - y * jnp.exp(-s)


def _gamma_kernel(s: Array, y: Array) -> Array:
    ratio = y * jnp.exp(-s)
    return jnp.where(jnp.isinf(ratio), ratio, s + ratio)


def _gamma_whole(s: Array, y: Array) -> Array:
    return excess(-above_fit(s, y))


_gamma = half_deviance(_gamma_slope, _gamma_kernel, _gamma_whole)


@register(
    LossCard(
        task="count",
        prediction="log mean",
        target="positive",
        formula=r"s + y e^{-s}",
        hyperparameters={"full": UNIT},
        non_negative=lambda full: bool(full),
        symmetric=False,
        origin=2,
        tails="exponential",
        zero_at_perfect_fit=lambda full: bool(full),
        elicits="log of the mean",
        noise="gamma",
        aliases={
            "sklearn._loss.HalfGammaLoss": 1.0,
        },
        reference="Nelder and Wedderburn (1972)",
    )
)
def gamma(prediction: Scalar, target: Scalar, *, full: ArrayLike = False) -> Float[Array, ""]:
    """Half the gamma deviance of a log mean: for positive amounts whose spread grows with their mean.

    Formula: `s + y exp(-s)`; dropped are `-log y - 1`, which `full=True` adds: `e^-u - 1 + u` with `u = s - log y`,
    a function of the ratio of mean and target alone. scikit-learn's `HalfGammaLoss` is the default.

    Args:
        prediction: s, the log of the mean, any real number.
        target: y, above 0, in any unit; the loss has none.
        full: whether to add the terms of y alone, so that a perfect fit costs 0.

    Source: Nelder and Wedderburn (1972), Journal of the Royal Statistical Society A 135, section 1.
    """
    return _gamma(full, *counted(prediction, target, zero=False))


def _inverse_gaussian_curvature(s: Array, y: Array) -> Array:
    inverse = jnp.exp(-s)
    return inverse * (2 * (y * inverse) - 1)


@differentiated_by(_inverse_gaussian_curvature)
def _inverse_gaussian_slope(s: Array, y: Array) -> Array:
    inverse = jnp.exp(-s)
    return inverse * (1 - y * inverse)


def _inverse_gaussian_kernel(s: Array, y: Array) -> Array:
    inverse = jnp.exp(-s)
    return inverse * (y * inverse / 2 - 1)


def _inverse_gaussian_whole(s: Array, y: Array) -> Array:
    root = jnp.expm1(-above_fit(s, y)) / jnp.sqrt(2 * y)
    return root * root


_inverse_gaussian = half_deviance(_inverse_gaussian_slope, _inverse_gaussian_kernel, _inverse_gaussian_whole)


@register(
    LossCard(
        task="count",
        prediction="log mean",
        target="positive",
        formula=r"\tfrac{y}{2} e^{-2s} - e^{-s}",
        hyperparameters={"full": UNIT},
        least_curvature=-math.inf,
        non_negative=lambda full: bool(full),
        symmetric=False,
        origin=2,
        tails="exponential",
        zero_at_perfect_fit=lambda full: bool(full),
        elicits="log of the mean",
        noise="inverse gaussian",
        reference="Tweedie (1957)",
    )
)
def inverse_gaussian(prediction: Scalar, target: Scalar, *, full: ArrayLike = False) -> Float[Array, ""]:
    """Half the inverse Gaussian deviance of a log mean: for positive amounts with a longer tail than gamma's.

    Formula: `y exp(-2 s) / 2 - exp(-s)`; dropped is `1 / (2 y)`, which `full=True` adds: `(y - mu)**2 / (2 y mu**2)`
    with `mu = exp(s)`, as `expm1(-u)**2 / (2 y)` with `u = s - log y`. Not convex in s: flat where the mean is more
    than twice the target. scikit-learn's `HalfTweedieLoss(power=3)` is the default.

    Args:
        prediction: s, the log of the mean, any real number.
        target: y, above 0, in any unit; the loss is in its inverse.
        full: whether to add the terms of y alone, so that a perfect fit costs 0.

    Source: Tweedie (1957), Annals of Mathematical Statistics 28, section 2.
    """
    return _inverse_gaussian(full, *counted(prediction, target, zero=False))


def _two_powers(s: Array, y: Array, power: Array, by_mean: ArrayLike, by_target: ArrayLike) -> Array:
    """by_mean e^((2-p)s) - by_target y e^((1-p)s), with the larger power in front so that neither overflows alone."""
    e, up = jnp.exp(-jnp.abs(s)), s > 0
    mean_leads = up | (y <= e)
    exponent = jnp.where(mean_leads, 2 - power, 1 - power)
    front = jnp.exp(jnp.where(exponent == 0, 0.0, exponent * s))
    share = jnp.where(up, y * e, y / jnp.where(up | (e == 0), 1.0, e))
    bracket = jnp.where(mean_leads, by_mean - by_target * share, by_mean * e - by_target * y)
    return jnp.where(bracket == 0, 0.0, front) * bracket


def _tweedie_curvature(s: Array, y: Array, power: Array) -> Array:
    return _two_powers(s, y, power, 2 - power, 1 - power)


@differentiated_by(_tweedie_curvature)
def _tweedie_slope(s: Array, y: Array, power: Array) -> Array:
    return _two_powers(s, y, power, 1.0, 1.0)


def _tweedie_kernel(s: Array, y: Array, power: Array) -> Array:
    by_mean, by_target = power_growth(s, 2 - power), weighed(power_growth, 0.0, 0.0)(y, s, 1 - power)
    # On either side one of the two wins however far, also where both overflow.
    winner = jnp.where(s > 0, by_mean, -by_target)
    return jnp.where(jnp.isinf(winner), winner, by_mean - by_target)


def _power_difference(s: Array, y: Array, u: Array, rate: Array) -> Array:
    """(e^(rate s) - y**rate) / rate, u at rate 0, from the larger of the two."""
    large = rate * u > 1
    above = jnp.exp(jnp.where(large, rate * s, 0.0)) * power_growth(jnp.where(large, u, 0.0), -rate)
    return jnp.where(large, above, jnp.power(y, rate) * power_growth(jnp.where(large, 0.0, u), rate))


def _tweedie_whole(s: Array, y: Array, power: Array) -> Array:
    """y**(2-p) u (h((2-p) u) - h((1-p) u)) near the fit, h(x) = (e^x - 1 - x) / x; beyond, two differences of powers.

    For p in [1, 2] nothing cancels.
    """
    zero, b, a = y == 0, 2 - power, 1 - power
    amount, at = jnp.where(zero, 1.0, y), jnp.where(zero, 0.0, s)
    u = at - jnp.log(amount)
    near = jnp.abs(u) < 1
    v = jnp.where(near, u, 0.0)
    # In two halves, as the power may overflow where the product does not; and 0 at the fit even where they do.
    root = jnp.power(amount, b / 2)
    close = times(v, root) * times(relative_excess(b * v) - relative_excess(a * v), root)
    by_mean, by_target = _power_difference(at, amount, u, b), y * _power_difference(at, amount, u, a)
    winner = jnp.where(u > 0, by_mean, -by_target)
    away = jnp.where(jnp.isinf(winner), winner, by_mean - by_target)
    # Of a target of 0 only the slope counts, where that is finite.
    rate = jnp.where(a > 0, a, 1.0)
    by_zero = jnp.where(a > 0, weighed(power_growth, 0.0, 0.0)(y, s, rate) + y / rate, 0.0)
    of_zero = jnp.exp(jnp.where(zero, b * s, 0.0)) / jnp.where(b > 0, b, 1.0) - jnp.where(zero, by_zero, 0.0)
    return jnp.where(zero, of_zero, jnp.where(near, close, away))


_tweedie = half_deviance(_tweedie_slope, _tweedie_kernel, _tweedie_whole)


def _least_curvature(power: float) -> float | None:
    if 1 <= power <= 2:
        return 0.0
    # Next to that range it is not convex either, but no finite target shows how far it bends.
    return -math.inf if power < 0.99 or power > 2.01 else None


@register(
    LossCard(
        task="count",
        prediction="log mean",
        target=lambda power: "non-negative" if power < 2 else "positive",
        formula=r"\frac{e^{(2-p)s} - 1}{2-p} - y\, \frac{e^{(1-p)s} - 1}{1-p}",
        hyperparameters={"power": ANY_FINITE, "full": UNIT},
        least_curvature=_least_curvature,
        non_negative=lambda full: bool(full),
        symmetric=lambda power: power == 1.5,
        origin=2,
        tails="exponential",
        zero_at_perfect_fit=lambda full: bool(full),
        elicits="log of the mean",
        noise=lambda power: "tweedie" if power <= 0 or power >= 1 else None,
        reference="Jorgensen (1987)",
    )
)
def tweedie(prediction: Scalar, target: Scalar, *, power: ArrayLike = 1.5, full: ArrayLike = False) -> Float[Array, ""]:
    """Half the Tweedie deviance of a log mean, for a variance of `mu**power`; between 1 and 2 for amounts often 0.

    Formula: `(exp((2-p) s) - 1)/(2-p) - y (exp((1-p) s) - 1)/(1-p)` with the limits `s` and `y s` at p = 2 and 1: the
    half deviance less its value at a mean of 1, which keeps it continuous in p. So at power 1, 2 and 3 it is `poisson`
    less 1, `gamma` less y, and `inverse_gaussian` less y/2 - 1; with `full=True` they are equal, and power 0
    is half the squared error of the mean. scikit-learn's `HalfTweedieLoss(power)` drops other terms of y.
    Convex in s for p in [1, 2]. For p in (0, 1) no such distribution exists, yet the mean is elicited all the same.

    Args:
        prediction: s, the log of the mean, any real number.
        target: y, at least 0; above 0 where p is 2 or more, for 0 is then impossible.
        power: p, any finite number.
        full: whether to add the terms of y alone, so that a perfect fit costs 0.

    Source: Jorgensen (1987), Journal of the Royal Statistical Society B 49, section 3.
    """
    s, y = counted(prediction, target)
    p = like(power, s)
    y = jnp.where((y > 0) | (p < 2), y, jnp.nan)
    return _tweedie(full, s, y, p)
