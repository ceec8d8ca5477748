"""Asymptotic variance and efficiency of the estimate of location by a loss, and what one bad point can do to it.

With psi the slope of the loss, f the density of the noise and s = -f'/f its score, the estimate from n observations has
variance V/n with V = E[psi**2] / E[psi s]**2 (Huber 1964, section 3). E[psi s] is E[psi'] by parts, and counts jumps.
"""

import functools
import inspect

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import losses
from ._noise import check as check_noise, gaussian, LogDensity
from ._quadrature import integrate


# Where the slope of a loss is looked at for its greatest value: so many places, evenly by logarithm from this one on.
_REACH, _NEAR = 2**14, -37.0


def asymptotic_variance(loss: losses.Loss, noise: LogDensity = gaussian) -> Float[Array, ""]:
    """Variance, times n, of the location that minimises a symmetric loss of residuals, as n grows; inf if it has none.

    Formula: `E[psi**2] / E[psi s]**2`, with psi the slope of the loss by automatic differentiation and s the score of
    the noise, both symmetric about 0. May be jitted, differentiated in nothing, and vmapped over hyperparameters. As
    exact as the default float: 1e-12 in float64, 1e-5 in float32.

    Args:
        loss: of a residual, registered or your own; hyperparameters bound.
        noise: the logarithm of a density, up to a constant: `lossopt.asymptotics.gaussian` (the default), `laplace`,
            `logistic`, `student(df)`, `contaminated(fraction, scale)`, or any function of one residual. The density
            must be continuous: one that jumps is an error, under a trace NaN.

    Raises:
        ValueError: the loss is not one of a residual, or its card says that it is not symmetric; the density of the
            noise jumps, or has no finite integral.

    Source: Huber (1964), Annals of Mathematical Statistics 35, section 3.
    """
    check(loss)
    spread, slope, _ = moments(loss, noise)
    return spread / slope**2


def efficiency(loss: losses.Loss, noise: LogDensity = gaussian) -> Float[Array, ""]:
    """The share of the data's information that the loss uses: the least variance possible over that of the loss.

    Formula: `1 / (I V)`, with V as in `asymptotic_variance` and I the Fisher information `E[s**2]`; 1 for the loss that
    is the likelihood of the noise. Arguments and errors as there.

    Source: Huber (1981), Robust Statistics, section 4.
    """
    check(loss)
    return _efficiency(moments(loss, noise))


def gross_error_sensitivity(loss: losses.Loss, noise: LogDensity = gaussian) -> Float[Array, ""]:
    """The most that one bad point can do: the largest influence `sup |psi| / E[psi s]`, inf where psi is unbounded.

    In the unit of the scale of the noise. Arguments and errors as in `asymptotic_variance`.

    Source: Hampel (1974), Journal of the American Statistical Association 69, section 3.
    """
    check(loss)
    return _steepest(jax.tree_util.Partial(loss)) / moments(loss, noise)[1]


def moments(loss: losses.Loss, noise: LogDensity) -> Float[Array, "3"]:
    """E[psi**2], E[psi s] and E[s**2].

    Raises:
        ValueError: the noise is no function of a residual; its density is not continuous, or has no finite integral.
    """
    check_noise(noise)
    sums = _moments(jax.tree_util.Partial(loss), jax.tree_util.Partial(noise))
    if not isinstance(sums, jax.core.Tracer) and jnp.isnan(sums[2]):
        raise ValueError("The noise is not the logarithm of a continuous density on the line whose integral is finite.")
    return sums


@jax.jit
def _moments(loss: losses.Loss, noise: LogDensity) -> Array:
    def integrands(x: Array) -> Array:
        level, pull = jax.vmap(jax.value_and_grad(noise))(x)
        # The root of the density, so that squares that are weighted neither overflow nor die out before it does.
        root = jnp.exp(level / 2)[:, None]
        parts = jnp.stack([jnp.ones_like(x), x, _slopes(loss, x), -pull], axis=1)
        # Where the density has died out, an infinite slope counts for nothing.
        one, place, slope, score = jnp.where(root == 0, 0.0, parts * root).T
        return jnp.stack([one**2, place * score, slope**2, slope * score, score**2], axis=1)

    mass, whole, *sums = integrate(integrands)
    # E[r s] is 1 by parts, and less by what jumps of the density are left out of its slope, here and in E[psi s].
    continuous = jnp.abs(whole / mass - 1) < jnp.finfo(mass.dtype).eps ** 0.5
    return jnp.where(continuous, jnp.stack(sums) / mass, jnp.nan)


def _slopes(loss: losses.Loss, x: Array) -> Array:
    return jax.vmap(jax.grad(loss), (0, None))(x, jnp.zeros((), x.dtype))


@jax.jit
def _steepest(loss: losses.Loss) -> Array:
    dtype = jnp.result_type(float)
    far = jnp.asarray(jnp.finfo(dtype).max, dtype) ** jnp.array([0.2, 0.24], dtype)
    side = jnp.exp(jnp.linspace(_NEAR, jnp.minimum(-_NEAR, jnp.log(far[0])), _REACH // 2, dtype=dtype))
    x = jnp.concatenate([-side[::-1], side])
    for _ in range(3):
        pull = jnp.abs(_slopes(loss, x))
        best = jnp.argmax(pull)
        peak = pull[best]
        x = jnp.linspace(x[jnp.maximum(best - 2, 0)], x[jnp.minimum(best + 2, _REACH - 1)], _REACH, dtype=dtype)
    ends = jnp.abs(_slopes(loss, jnp.concatenate([far, -far])))
    grows = jnp.any(ends[jnp.array([1, 3])] > 1.01 * ends[jnp.array([0, 2])])
    bounded = jnp.maximum(peak, jnp.max(ends))
    return jnp.where(grows & (bounded > peak), jnp.inf, bounded)


def check(loss: losses.Loss) -> None:
    """Raise ValueError unless the loss is one of a residual, and symmetric as far as its card tells."""
    fn = losses.unbound(loss)
    if not callable(fn) or len(inspect.signature(fn).parameters) < 2:
        raise ValueError(f"{loss!r} is not a loss: give a function of (prediction, target).")
    if not losses.has_card(loss):
        return
    card = losses.claims(loss)
    if not card.of_residual:
        raise ValueError(f"{card.name} is not a loss of a residual: asymptotics are of regression losses.")
    known = not any(isinstance(value, jax.core.Tracer) for value in losses.hyperparameters(loss).values())
    if card.symmetric is False or (known and not losses.card(loss).symmetric):
        raise ValueError(f"{card.name} is not symmetric here: the location that it asks for is not the centre.")


@functools.partial(jax.jit, static_argnames="name")
def efficiency_at(value: Array, loss: losses.Loss, name: str, noise: LogDensity) -> Array:
    """The efficiency with one hyperparameter set to a value."""
    return _efficiency(_moments(jax.tree_util.Partial(loss, **{name: value}), noise))


def _efficiency(found: Array) -> Array:
    spread, slope, information = found
    return slope**2 / (spread * information)
