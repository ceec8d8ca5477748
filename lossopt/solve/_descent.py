"""What Newton's method and L-BFGS share: the cost that they lower, when a step succeeds, and how they ended."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped

from .. import losses
from ..models import Params
from ..status import Status
from ._design import Design
from ._normal import dot, length, times
from ._traits import Traits


class Cost(NamedTuple):
    """What is minimised: the mean loss over a design with its penalty, and what is known of the loss.

    `loss` takes a vector of scores, of length 1 for a scalar loss, each in its unit, in which the coefficients are too;
    `tolerance` is what the gradient's error is compared with.
    """

    loss: losses.Loss
    design: Design
    targets: Shaped[Array, " n *t"]
    traits: Traits
    tolerance: Float[Array, ""]
    units: Float[Array, " k"]

    def params(self, coefficients: Float[Array, "m k"]) -> Params:
        """The weights and biases that coefficients stand for."""
        return self.design.decode(coefficients * self.units[None])

    def lost(self, params: Params, coefficients: Float[Array, "m k"]) -> Float[Array, "m k"]:
        """By how much the parameters that coefficients stand for, seen in the basis again, are others."""
        return self.design.encode(params) / self.units[None] - coefficients


class Value(NamedTuple):
    """The cost at some coefficients, the size of its rounding errors, its gradient, the mean square of the slopes."""

    coefficients: Float[Array, "m k"]
    cost: Float[Array, ""]
    rounding: Float[Array, ""]
    gradient: Float[Array, "m k"]
    steep: Float[Array, ""]


def unseen(start: Float[Array, "m k"]) -> Value:
    """The start, before it is evaluated: with an infinite cost, so that what is found there succeeds.

    So the first iteration evaluates it, by a step of zero, and the evaluation is compiled once.
    """
    zero = jnp.zeros((), start.dtype)
    return Value(start, zero + jnp.inf, zero, jnp.zeros_like(start), zero)


def penalised(cost: Cost, coefficients: Array, mean: Array, size: Array, gradient: Array, steep: Array) -> Value:
    """The value, from sums over the examples: of losses, sizes of their terms, gradients and squared slopes."""
    penalty, units = cost.design.penalty, cost.units[None]
    shrunk = times(penalty, coefficients) * units
    square = dot(shrunk, shrunk)
    return Value(
        coefficients=coefficients,
        cost=mean + square / 2,
        rounding=8 * jnp.finfo(mean.dtype).eps * (size + square / 2),
        gradient=cost.design.outer(gradient) + times(penalty.T, shrunk) * units,
        steep=steep + square,
    )


# λ, by which a step is made shorter: the factor by which it falls and rises, where it starts to rise and where it has
# fallen to 0, where all is lost.
_FACTOR, _FIRST, _NONE, MOST = 8.0, 1 / 8, 1e-10, 8.0**12


def lower(blend: Array) -> Array:
    """λ after a success."""
    return jnp.where(blend > _NONE, blend / _FACTOR, 0.0)


def higher(blend: Array) -> Array:
    """λ after a failure."""
    return jnp.where(blend > 0, blend * _FACTOR, _FIRST)


def error(value: Value, blur: Array | float = 0.0) -> Array:
    """The size of the gradient relative to that of the slopes, which in an orthonormal basis it cannot exceed.

    `blur` is the mean square of what the rounding of scores does to the slopes, which cannot be converged away.
    """
    return relative(value.gradient, value.steep + blur)


def relative(gradient: Array, steep: Array) -> Array:
    """The size of a gradient, in units of the root of a mean square; 0 where that is 0."""
    # Beside a square that has left the floats nothing would count.
    scale = jnp.sqrt(jnp.minimum(steep, jnp.finfo(steep.dtype).max))
    return jnp.where(scale > 0, length(gradient) / jnp.where(scale > 0, scale, 1.0), 0.0)


def succeeds(before: Value, after: Value, step: Array) -> Array:
    """Whether a step lowers the cost by a fraction of what the slope promises.

    At the end, where the cost is all rounding, whether the slope along the step has turned up by no more than a
    parabola's would (Hager and Zhang 2005, equation 4.1).
    """
    promised = dot(before.gradient, step)
    enough = after.cost <= before.cost + 1e-4 * promised
    level = after.cost <= before.cost + before.rounding
    turned = dot(after.gradient, step) <= -0.8 * promised
    return jnp.isfinite(after.cost) & (enough | (level & turned))


# The movement of a score below which no step leads to infinity.
STILL = 1e-2


def much(cost: Cost, value: Value, promised: Array) -> Array:
    """Whether a fall of the cost that is still promised is more than what is asked and its rounding.

    Where curvatures are infinite, it is not a number; but no more than all of the cost, if that is never below 0.
    """
    if cost.traits.positive:
        promised = jnp.where(value.cost >= 0, jnp.fmin(promised, value.cost), promised)
    return ~(promised <= cost.tolerance * jnp.abs(value.cost) + value.rounding)


def code(
    design: Design,
    value: Value,
    *,
    settled: Bool[Array, ""],
    stalled: Bool[Array, ""],
    bent: Bool[Array, ""],
    escaping: Bool[Array, ""],
) -> Array:
    """The code of the status. `bent`: the loss is not convex; `escaping`: there is no finite minimiser."""
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    found = jnp.where(bent, Status.LOCAL_MINIMUM, found)
    short = jnp.where(stalled, Status.STALLED, Status.OUT_OF_STEPS)
    # The terms of the cost have left the floats.
    short = jnp.where(jnp.isfinite(value.rounding), short, Status.DIVERGED)
    ended = jnp.where(settled, found, short)
    ended = jnp.where(escaping, Status.NO_FINITE_MINIMISER, ended)
    return jnp.where(jnp.isfinite(value.cost), ended, Status.DIVERGED)
