"""Losses with a kink beside which they are not straight, by rounding the kink off less and less.

Such a loss is a smooth function of a residual u ≥ 0 that is taken absolutely; in its place stands √(u² + width²), whose
minimum Newton's method follows as the width falls. It lies within O(width) of one of the loss itself, along a smooth
path once the examples on the kink are settled, so that from two widths, one half the other, twice the second less the
first is right to O(width²) (Richardson's extrapolation). So the last width need not be near rounding, where curvatures
of 1/width would leave nothing of a gradient.

What is rounded lies above the loss, by no more than the width times half the jump of its slope. If the loss is convex,
that bounds how far the cost may be above its minimum.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .. import losses
from ..status import GOOD, Status
from . import newton
from ._blocks import Fold
from ._columns import Columns, positive
from ._descent import Cost
from ._outcome import Outcome
from ._piecewise import kind_of
from ._traits import rising_kinks


# By what the width falls, and how often for a bit of the floats' mantissa; how well the minima before the last two are
# solved, for a table of one example.
_FACTOR, _OFTEN, _ROUGHLY = 4.0, 0.2, 0.1
# How many times its width, of the size of all coefficients, a minimum may move when it is halved for the last time.
_NEAR = 1e4


def may_be_rounded(loss: losses.Loss) -> bool:
    """Whether the kink of a loss is known well enough."""
    if losses.unbound(loss) in _OF_A_SHARE:
        return True
    return losses.claims(loss).of_residual and rising_kinks(loss) == (0.0,) and kind_of(loss) is None


def rounded(loss: losses.Loss) -> Callable[[Array, Array, Array], Array]:
    """The loss of a score and a target with a width, but for constants."""
    return _OF_A_SHARE.get(losses.unbound(loss)) or functools.partial(_of_a_residual, loss)


def _root(size: Array, width: Array) -> Array:
    return jnp.sqrt(size**2 + width**2)


def _of_a_residual(loss: losses.Loss, score: Array, target: Array, width: Array) -> Array:
    half, r = _jump(loss, score.dtype) / 2, score - target
    return loss(score, target) + half * (_root(r, width) - jnp.abs(r))


def _jump(loss: losses.Loss, dtype: Any) -> Array:
    """Of the slope at a perfect fit."""
    beside, target = jnp.sqrt(jnp.finfo(dtype).tiny), jnp.zeros((), dtype)
    return jax.grad(loss)(beside, target) - jax.grad(loss)(-beside, target)


def _laplace(score: Array, target: Array, width: Array) -> Array:
    location, log_scale = score
    return log_scale + _root((target - location) * jnp.exp(-log_scale), width)


def _symmetric_share(score: Array, target: Array, width: Array) -> Array:
    # A share of the target, which may be as large as floats are.
    share = score / target
    return _root(2 * (share - 1) / (jnp.abs(share) + 1), width)


# Those of a residual without a unit.
_OF_A_SHARE: dict[Any, Callable[[Array, Array, Array], Array]] = {
    losses.laplace_nll: _laplace,
    losses.symmetric_absolute_percentage_error: _symmetric_share,
}


class _State(NamedTuple):
    """The minimum for the last width and for the one before, how far above the minimum the former may be, the width to
    come, and for how many of the last two the minimum is known."""

    coefficients: Float[Array, "m k"]
    before: Float[Array, "m k"]
    gap: Float[Array, ""]
    width: Float[Array, ""]
    known: Int[Array, ""]
    iterations: Int[Array, ""]
    code: Int[Array, ""]


def solve(cost: Cost, start: Float[Array, "m k"], max_iterations: Int[Array, ""], *, loss: losses.Loss) -> Outcome:
    """A minimum near `start`; the cost's loss, which is that of `rounded`, is given a width as a third argument."""
    dtype, one, none = start.dtype, jnp.ones_like(cost.tolerance), jnp.zeros((), int)
    unit = functools.partial(_typical, cost) if cost.traits.residual else lambda coefficients: one
    small = _FACTOR ** -round(_OFTEN * jnp.finfo(dtype).nmant)

    def unfinished(state: _State) -> Bool[Array, ""]:
        return (state.known < 2) & (state.iterations < max_iterations)

    def narrower(state: _State) -> _State:
        last = (state.width <= small * unit(state.coefficients)) | (state.known > 0)
        tolerance = jnp.where(last, cost.tolerance, jnp.maximum(cost.tolerance, _ROUGHLY / len(cost.targets)))
        of_width = cost._replace(loss=lambda score, target: cost.loss(score, target, state.width), tolerance=tolerance)
        # Later minima are near the last.
        blend = jnp.where(state.iterations > 0, 0 * one, one)
        found = newton.solve(of_width, state.coefficients, max_iterations - state.iterations, blend=blend)
        coefficients = cost.design.encode(found.params) / cost.units[None]
        gap = found.gap + state.width * jnp.abs(_jump(loss, dtype)) / 2 if cost.traits.residual else found.gap
        width = state.width / jnp.where(last, 2.0, _FACTOR)
        known, iterations = jnp.where(last, state.known + 1, 0), state.iterations + found.iterations
        return _State(coefficients, state.coefficients, gap, width, known, iterations, found.code)

    code = jnp.full_like(none, Status.OUT_OF_STEPS)
    begin = _State(start, start, one * jnp.inf, unit(start), none, none, code)
    ended = jax.lax.while_loop(unfinished, narrower, begin)
    moved, both = jnp.linalg.norm(ended.coefficients - ended.before), ended.known == 2
    settled = both & (moved <= _NEAR * small * jnp.linalg.norm(ended.coefficients))
    doubtful = jnp.isin(ended.code, jnp.array(GOOD)) & ~settled
    code = jnp.where(doubtful, jnp.where(both, Status.STALLED, Status.OUT_OF_STEPS), ended.code)
    minimum = jnp.where(settled, 2 * ended.coefficients - ended.before, ended.coefficients)
    return Outcome(cost.design.decode(minimum * cost.units[None]), ended.gap, ended.iterations, code)


def _typical(cost: Cost, coefficients: Float[Array, "m k"]) -> Float[Array, ""]:
    """The median residual, or a small part of the mean one where more than half are 0."""
    inner = cost.design.inner(coefficients)

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        apart = jnp.abs(cost.units[0] * basis.scores(inner)[0] - targets)
        return Fold(share @ apart, each=apart)

    mean, _, each = cost.design.fold(of_block, cost.targets)
    return positive(jnp.maximum(jnp.median(each), jnp.sqrt(jnp.finfo(mean.dtype).eps) * mean))
