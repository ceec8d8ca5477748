"""Losses of the log of a mean, for counts; and for successes in so many trials, where the log-odds is predicted.

Each is half the deviance. By default the terms of the target alone are dropped, so the value may be negative; with
`full=True` it is the half deviance itself, 0 where the mean is the target. An offset (the log of an exposure) is added
to the prediction by the caller.
"""

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from ._arguments import counted, like, Scalar, times
from ._card import LossCard
from ._deviance import above_fit, half_deviance, share_divergence
from ._elementary import differentiated_by, excess, log1p_of_fraction, relative_expm1, second_order, sigmoid, softplus
from ._kinds import NON_NEGATIVE_FINITE, POSITIVE_FINITE, UNIT
from ._register import register


def _poisson_slope(s: Array, y: Array) -> Array:
    return jnp.exp(s) - y


def _poisson_kernel(s: Array, y: Array) -> Array:
    mean = jnp.exp(s)
    return jnp.where(jnp.isinf(mean), mean + 0 * y, mean - times(y, s))


def _poisson_whole(s: Array, y: Array) -> Array:
    """y (e^u - 1 - u); far from the fit e^s - y (1 + u), as e^u alone could overflow."""
    u, mean = above_fit(s, y), jnp.exp(s)
    near = jnp.abs(u) < 1
    away = jnp.where(jnp.isinf(mean), mean + 0 * y, mean - y - times(y, jnp.where(near, 1.0, u)))
    return jnp.where(near, y * excess(jnp.where(near, u, 0.0)), away)


_poisson = half_deviance(_poisson_slope, _poisson_kernel, _poisson_whole)


@register(
    LossCard(
        task="count",
        prediction="log mean",
        target="non-negative",
        formula=r"e^{s} - y s",
        hyperparameters={"full": UNIT},
        non_negative=lambda full: bool(full),
        symmetric=False,
        origin=2,
        tails="exponential",
        zero_at_perfect_fit=lambda full: bool(full),
        elicits="log of the mean",
        noise="poisson",
        aliases={
            "torch.nn.functional.poisson_nll_loss": 1.0,
            "sklearn._loss.HalfPoissonLoss": 1.0,
        },
        reference="Nelder and Wedderburn (1972)",
    )
)
def poisson(prediction: Scalar, target: Scalar, *, full: ArrayLike = False) -> Float[Array, ""]:
    """Half the Poisson deviance of a log mean: the loss to fit counts and rates with.

    Formula: `exp(s) - y s`; dropped are `y log y - y`, which `full=True` adds: `y (e^u - 1 - u)` with `u = s - log y`.
    PyTorch's `PoissonNLLLoss(log_input=True)` and scikit-learn's `HalfPoissonLoss` are the default; statsmodels'
    deviance is twice the full one.

    Args:
        prediction: s, the log of the mean, any real number.
        target: y, at least 0, a count or any other amount; the loss is in nats.
        full: whether to add the terms of y alone, so that a perfect fit costs 0.

    Source: Nelder and Wedderburn (1972), Journal of the Royal Statistical Society A 135, section 1.
    """
    return _poisson(full, *counted(prediction, target))


def _bounded_mean(s: Array, dispersion: Array) -> tuple[Array, Array]:
    """For s > 0: mu / (1 + dispersion mu), and its product with exp(-s/2), without overflow on the way."""
    info = jnp.finfo(s.dtype)
    # Beyond this the mean is infinite even where 1 / h is not.
    half = jnp.clip(s, 0.0, 1.9 * math.log(float(info.max))) / 2
    h, root = jnp.exp(-half), jnp.exp(half)
    bent = dispersion > math.sqrt(float(info.tiny))
    # Two divisions by h would be one by h * h to XLA, which is rounded to 0 before the mean is infinite.
    found = jnp.where(bent, 1 / (h * h + dispersion), root / (h + jnp.where(bent, 0.0, dispersion) * root))
    return found, h * found


def _negative_binomial_curvature(s: Array, y: Array, dispersion: Array) -> Array:
    e, (_, root) = jnp.exp(-jnp.abs(s)), _bounded_mean(s, dispersion)
    scale, weight = 1 + dispersion * e, 1 + dispersion * y
    return jnp.where(s > 0, weight * (root * root), e / scale * (weight / scale))


@differentiated_by(_negative_binomial_curvature)
def _negative_binomial_slope(s: Array, y: Array, dispersion: Array) -> Array:
    """(mu - y) / (1 + dispersion mu)."""
    e, (mean, _) = jnp.exp(-jnp.abs(s)), _bounded_mean(s, dispersion)
    return jnp.where(s > 0, (1 - y * e) * mean, (e - y) / (1 + dispersion * e))


def _product(dispersion: Array, mean: Array) -> Array:
    # At dispersion 0 its derivative, the mean, is squared: 0 is taken where that overflows.
    usable = jnp.where(dispersion > 0, jnp.isfinite(mean), mean < math.sqrt(float(jnp.finfo(mean.dtype).max)))
    return jnp.where(usable, dispersion * jnp.where(usable, mean, 0.0), 0.0)


def _negative_binomial_kernel(s: Array, y: Array, dispersion: Array) -> Array:
    """With t = log(dispersion mu): as log1p(e^t) below t = 0, and t + log1p(e^-t) above, where s cancels in y."""
    positive = dispersion > 0
    t = jnp.where(positive, s + jnp.log(jnp.where(positive, dispersion, 1.0)), -jnp.inf)
    large = t > 0
    low = jnp.where(large, 0.0, s)
    mean = jnp.exp(low)
    logarithm = jnp.log1p(_product(dispersion, mean))
    bent = mean / relative_expm1(logarithm)
    small = jnp.where(jnp.isinf(bent), bent + 0 * y, bent + times(y, logarithm - low))
    safe = jnp.where(large, dispersion, 1.0)
    beyond = log1p_of_fraction(jnp.exp(-jnp.where(large, t, 0.0)))
    return jnp.where(large, (t + beyond) / safe + y * (jnp.log(safe) + beyond), small)


def _log_ratio(s: Array, y: Array, dispersion: Array) -> tuple[Array, Array, Array]:
    """w = log((1 + a mu) / (1 + a y)); u = s - log y; and t = log(a mu)."""
    u, t = above_fit(s, y), s + jnp.log(dispersion)
    near = jnp.abs(u) < 1
    close = jnp.log1p(jnp.expm1(jnp.where(near, u, 0.0)) * sigmoid(t - u))
    return jnp.where(near, close, softplus(t) - softplus(t - u)), u, t


def _whole_by_target(s: Array, y: Array, dispersion: Array) -> Array:
    """w - u, which is log((1 + 1/(a mu)) / (1 + 1/(a y))); at y = 0, where that is -inf, 0 is chosen."""
    w, u, t = _log_ratio(s, y, dispersion)
    near, most = jnp.abs(u) < 1, t > u
    close = jnp.log1p(jnp.expm1(-jnp.where(near, u, 0.0)) * sigmoid(u - t))
    found = jnp.where(near, close, jnp.where(most, softplus(-t) - softplus(u - t), w - u))
    return jnp.where(y == 0, 0.0, found)


def _whole_by_dispersion(s: Array, y: Array, dispersion: Array) -> Array:
    """-(e^-w - 1 + w) / a**2; near w = 0 from w / a, which holds at a = 0."""
    w, u, _ = _log_ratio(s, y, dispersion)
    near = jnp.abs(w) < 1
    small = jnp.where(near, w, 0.0)
    change = jnp.where(jnp.abs(u) < 1, y * jnp.expm1(jnp.where(jnp.abs(u) < 1, u, 0.0)), jnp.exp(s) - y)
    slant = change / (1 + dispersion * y) / relative_expm1(small)
    safe = jnp.where(near, 1.0, dispersion)
    found = jnp.where(near, slant * slant * second_order(-small), excess(-jnp.where(near, 0.0, w)) / safe / safe)
    # Held finite: at a = 0 it overflows where the loss does not.
    return -jnp.minimum(found, jnp.finfo(s.dtype).max)


@differentiated_by(_negative_binomial_slope, _whole_by_target, _whole_by_dispersion)
def _negative_binomial_whole(s: Array, y: Array, dispersion: Array) -> Array:
    """(y + 1/a) log((1 + a mu) / (1 + a y)) - y u: with q = a y / (1 + a y), y/q (log(1 + q (e^u - 1)) - q u)."""
    zero, positive = y == 0, dispersion > 0
    count, at = jnp.where(zero, 1.0, y), jnp.where(zero, 0.0, s)
    u, many = at - jnp.log(count), dispersion * count
    c, q = 1 / (1 + many), 1 / (1 + 1 / many)
    most, near = q > 0.5, jnp.abs(u) < 1
    # Many counts beside the dispersion: the same of the other share, c = 1 - q.
    weight = jnp.where(most, 1 / ((1 / count + dispersion) * jnp.where(most, q, 1.0)), count)
    bent = share_divergence(weight, jnp.where(most, c, q), jnp.where(most, -u, u))
    small = ~positive | (at + jnp.log(jnp.where(positive, dispersion, 1.0)) < 0)
    straight = ~near & ~most & small
    found = jnp.where(straight, _next_to_poisson(jnp.where(straight, at, 0.0), count, dispersion * c), bent)
    return jnp.where(zero, _negative_binomial_kernel(s, 0 * y, dispersion), found)


def _next_to_poisson(s: Array, y: Array, bend: Array) -> Array:
    """The same far out where a mu is small, in a form that holds at a = 0; `bend` is a / (1 + a y)."""
    change = jnp.exp(s) - y
    bent = change / relative_expm1(jnp.log1p(_product(bend, change)))
    return jnp.where(jnp.isinf(change), change, bent - y * (s - jnp.log(y)))


_negative_binomial = half_deviance(_negative_binomial_slope, _negative_binomial_kernel, _negative_binomial_whole)


@register(
    LossCard(
        task="count",
        prediction="log mean",
        target="non-negative",
        formula=r"(y + \tfrac{1}{a}) \log(1 + a e^{s}) - y s",
        hyperparameters={"dispersion": NON_NEGATIVE_FINITE, "full": UNIT},
        # y log((1 + a mu) / mu) is never negative where a is at least 1.
        non_negative=lambda dispersion, full: bool(full) or dispersion >= 1,
        symmetric=False,
        origin=2,
        tails=lambda dispersion: "linear" if dispersion > 0 else "exponential",
        zero_at_perfect_fit=lambda full: bool(full),
        elicits="log of the mean",
        noise="negative binomial",
        reference="Lawless (1987)",
    )
)
def negative_binomial(
    prediction: Scalar, target: Scalar, *, dispersion: ArrayLike = 1.0, full: ArrayLike = False
) -> Float[Array, ""]:
    """Half the negative binomial deviance of a log mean: for counts whose variance is `mu + dispersion mu**2`.

    Formula: `(y + 1/a) log(1 + a mu) - y s` with `mu = exp(s)` and a the dispersion; at a = 0 it is `poisson`. Dropped
    are `y log y - (y + 1/a) log(1 + a y)`, which `full=True` adds. Unlike `poisson` it grows only linearly in s, so a
    mean that is far too large pulls by no more than 1/a. statsmodels' `NegativeBinomial(alpha)` and R's theta = 1/a.

    Args:
        prediction: s, the log of the mean, any real number.
        target: y, at least 0, a count or any other amount; the loss is in nats.
        dispersion: a, in [0, inf).
        full: whether to add the terms of y alone, so that a perfect fit costs 0.

    Source: Lawless (1987), Canadian Journal of Statistics 15, section 2.
    """
    s, y = counted(prediction, target)
    return _negative_binomial(full, s, y, like(dispersion, s))


@differentiated_by(lambda s, y, trials: trials * sigmoid(s) * sigmoid(-s))
def _binomial_slope(s: Array, y: Array, trials: Array) -> Array:
    return times(trials - y, sigmoid(s)) - y * sigmoid(-s)


def _binomial_kernel(s: Array, y: Array, trials: Array) -> Array:
    return times(trials - y, softplus(s)) + times(y, softplus(-s))


def _binomial_whole(s: Array, y: Array, trials: Array) -> Array:
    """n (log(1 + q (e^u - 1)) - q u) with q = y/n and u the distance from its log-odds; the same of -u and 1 - q."""
    inside = (y > 0) & (y < trials)
    hits, misses = jnp.where(inside, y, 1.0), jnp.where(inside, trials - y, 1.0)
    u = s - (jnp.log(hits) - jnp.log(misses))
    fewer = jnp.minimum(hits, misses)
    found = share_divergence(fewer, fewer / (hits + misses), jnp.where(hits <= misses, u, -u))
    return jnp.where(inside, found, _binomial_kernel(s, y, trials))


_binomial = half_deviance(_binomial_slope, _binomial_kernel, _binomial_whole)


@register(
    LossCard(
        task="count",
        prediction="logit",
        target="successes",
        formula=r"n \log(1 + e^{s}) - y s",
        hyperparameters={"trials": POSITIVE_FINITE, "full": UNIT},
        lipschitz=lambda trials: float(trials),
        smoothness=lambda trials: trials / 4,
        zero_at_perfect_fit=False,
        elicits="log-odds",
        proper=True,
        calibrated=True,
        noise="binomial",
        reference="Nelder and Wedderburn (1972)",
    )
)
def binomial(
    prediction: Scalar, target: Scalar, *, trials: ArrayLike = 1.0, full: ArrayLike = False
) -> Float[Array, ""]:
    """Half the binomial deviance of a log-odds (not of a log mean): for y successes in n trials.

    Formula: `n log(1 + exp(s)) - y s`, as `(n - y) softplus(s) + y softplus(-s)`; at one trial it is `logistic`.
    Dropped is `y log(y/n) + (n - y) log(1 - y/n)`, which `full=True` adds. Never negative. Where the number of trials
    differs from row to row, use `logistic` with the share of successes as the target and the trials as weights.

    Args:
        prediction: s, the log-odds of a success, any real number.
        target: y, the number of successes, in [0, trials]; the loss is in nats.
        trials: n, in (0, inf).
        full: whether to add the terms of y alone, so that a perfect fit costs 0.

    Source: Nelder and Wedderburn (1972), Journal of the Royal Statistical Society A 135, section 3.
    """
    s, y = counted(prediction, target)
    n = like(trials, s)
    return _binomial(full, s, jnp.where(y <= n, y, jnp.nan), n)
