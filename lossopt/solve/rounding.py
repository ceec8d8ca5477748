"""Losses with kinks beside which they are not straight, by rounding the kinks off less and less.

With u the distance of a residual or margin from a kink in which the slope jumps by J, such a loss is a smooth function
and J |u|/2, in place of which stands J √(u² + width²)/2. Newton's method follows the minimum as the width falls. It
lies within O(width) of one of the loss itself, along a smooth path once the examples on the kinks are settled, so that
from two widths, one half the other, twice the second less the first is right to O(width²) (Richardson's extrapolation).
So the last width need not be near rounding, where curvatures of 1/width would leave nothing of a gradient.

What is rounded lies above the loss, by no more than the width times half of all jumps. If the loss is convex, that
bounds how far the cost may be above its minimum.
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
from ._piecewise import kind_of, kinks_of
from ._traits import factor_of, forgiving, rising_kinks, terms_of, traits


# By what the width falls, and how often for a bit of the floats' mantissa; how well the minima before the last two are
# solved, for a table of one example.
_FACTOR, _OFTEN, _ROUGHLY = 4.0, 0.2, 0.1
# How many times its width, of the size of all coefficients, a minimum may move when it is halved for the last time.
_NEAR = 1e4


def may_be_rounded(loss: losses.Loss) -> bool:
    """Whether the kinks of a loss are known well enough."""
    if _of_a_share(loss):
        return True
    card = losses.claims(loss)
    # Of a margin's loss that is not convex the scores may grow for ever.
    known = card.of_residual or (card.prediction == "logit" and traits(loss).convex)
    return bool(known and rising_kinks(loss)) and kind_of(loss) is None


def rounded(loss: losses.Loss) -> Callable[[Array, Array, Array], Array]:
    """The loss of a score and a target with a width, but for constants."""
    alone = _of_a_share(loss)
    if alone is None:
        return functools.partial(_of_a_number, loss)
    return lambda score, target, width: factor_of(loss, jnp.zeros_like(score)) * alone(score, target, width)


def _root(size: Array, width: Array) -> Array:
    return jnp.sqrt(size**2 + width**2)


def _of_a_number(loss: losses.Loss, score: Array, target: Array, width: Array) -> Array:
    jumps, kinks = _jumps(loss, score.dtype), kinks_of(loss, score.dtype)
    if losses.claims(loss).of_residual:
        u, half = score - target - kinks, jumps[0] / 2
    else:
        u, half = (2 * target - 1) * score - kinks, jnp.where(target > 0.5, jumps[1], jumps[0]) / 2
    return loss(score, target) + jnp.sum(half * (_root(u, width) - jnp.abs(u)))


def _jumps(loss: losses.Loss, dtype: Any) -> Float[Array, "labels kinks"]:
    """By how much the slope jumps up in each kink of a residual, or of the margin of either label.

    Kinks in one place share that.
    """
    kinks, eps = kinks_of(loss, dtype), jnp.finfo(dtype)
    beside = jnp.maximum(2 * eps.eps * jnp.abs(kinks), jnp.sqrt(eps.tiny))
    labels = jnp.zeros(1, dtype) if losses.claims(loss).of_residual else jnp.arange(2, dtype=dtype)

    def of_label(label: Array) -> Array:
        sign = 1.0 if labels.size == 1 else 2 * label - 1
        slope = jax.vmap(lambda at: sign * jax.grad(loss)(sign * at, label))
        # Where it jumps down there is no minimum.
        return jnp.maximum(slope(kinks + beside) - slope(kinks - beside), 0.0) / here

    here = jnp.sum(kinks[:, None] == kinks[None], axis=0, dtype=dtype)
    return jax.vmap(of_label)(labels)


def _laplace(score: Array, target: Array, width: Array) -> Array:
    location, log_scale = score
    return log_scale + _root((target - location) * jnp.exp(-log_scale), width)


def _symmetric_share(score: Array, target: Array, width: Array) -> Array:
    # A share of the target, which may be as large as floats are.
    share = score / target
    return _root(2 * (share - 1) / (jnp.abs(share) + 1), width)


# Those of a residual without a unit, which are not convex.
_OF_A_SHARE: dict[Any, Callable[[Array, Array, Array], Array]] = {
    losses.laplace_nll: _laplace,
    losses.symmetric_absolute_percentage_error: _symmetric_share,
}


def _of_a_share(loss: losses.Loss) -> Callable[[Array, Array, Array], Array] | None:
    """How one of those, or that of which the loss is a multiple, is rounded; None if it is no such."""
    core, *others = map(losses.unbound, terms_of(loss))
    return None if others else _OF_A_SHARE.get(core)


class _State(NamedTuple):
    """The minimum for the last width and for the one before, how far above the minimum the former may be, the width to
    come, for how many of the last two the minimum is known, and whether no further width would tell more."""

    coefficients: Float[Array, "m k"]
    before: Float[Array, "m k"]
    gap: Float[Array, ""]
    width: Float[Array, ""]
    known: Int[Array, ""]
    iterations: Int[Array, ""]
    code: Int[Array, ""]
    over: Bool[Array, ""]


def solve(cost: Cost, start: Float[Array, "m k"], max_iterations: Int[Array, ""], *, loss: losses.Loss) -> Outcome:
    """A minimum near `start`; the cost's loss, which is that of `rounded`, is given a width as a third argument."""
    dtype, one, none = start.dtype, jnp.ones_like(cost.tolerance), jnp.zeros((), int)
    unit = functools.partial(_typical, cost) if cost.traits.residual else lambda coefficients: one
    above = zero = jnp.zeros_like(one)
    if _of_a_share(loss) is None:
        above = jnp.max(jnp.sum(_jumps(loss, dtype), axis=1)) / 2
    small = _FACTOR ** -round(_OFTEN * jnp.finfo(dtype).nmant)

    def unfinished(state: _State) -> Bool[Array, ""]:
        return (state.known < 2) & ~state.over & (state.iterations < max_iterations)

    def narrower(state: _State) -> _State:
        last = (state.width <= small * unit(state.coefficients)) | (state.known > 0)
        tolerance = jnp.where(last, cost.tolerance, jnp.maximum(cost.tolerance, _ROUGHLY / len(cost.targets)))
        of_width = cost._replace(loss=lambda score, target: cost.loss(score, target, state.width), tolerance=tolerance)
        # Later minima are near the last.
        blend = jnp.where(state.iterations > 0, zero, one)
        found = newton.solve(of_width, state.coefficients, max_iterations - state.iterations, blend=blend)
        coefficients = cost.design.encode(found.params) / cost.units[None]
        gap = found.gap + state.width * above
        width = state.width / jnp.where(last, 2.0, _FACTOR)
        known, iterations = jnp.where(last, state.known + 1, 0), state.iterations + found.iterations
        # Far out, what is rounded falls as the loss does; and nothing costs less than nothing.
        free = forgiving(loss) and _cost(cost, coefficients) <= 0
        code, gap = jnp.where(free, Status.CONVERGED, found.code), jnp.where(free, 0.0, gap)
        over = free | (found.code == Status.NO_FINITE_MINIMISER)
        return _State(coefficients, state.coefficients, gap, width, known, iterations, code, over)

    code, no = jnp.full_like(none, Status.OUT_OF_STEPS), jnp.array(False)
    begin = _State(start, start, one * jnp.inf, unit(start), none, none, code, no)
    ended = jax.lax.while_loop(unfinished, narrower, begin)
    moved, both = jnp.linalg.norm(ended.coefficients - ended.before), ended.known == 2
    settled = both & (moved <= _NEAR * small * jnp.linalg.norm(ended.coefficients))
    doubtful = jnp.isin(ended.code, jnp.array(GOOD)) & ~settled & ~ended.over
    code = jnp.where(doubtful, jnp.where(both, Status.STALLED, Status.OUT_OF_STEPS), ended.code)
    minimum = jnp.where(settled, 2 * ended.coefficients - ended.before, ended.coefficients)
    return Outcome(cost.params(minimum), ended.gap, ended.iterations, code)


def _cost(cost: Cost, coefficients: Float[Array, "m k"]) -> Float[Array, ""]:
    """Of the loss itself, with its penalty."""
    inner = cost.design.inner(coefficients)

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        each = jax.vmap(cost.loss, in_axes=(1, 0, None))(basis.scores(inner), targets, jnp.zeros_like(share[0]))
        return Fold(share @ each)

    return cost.design.fold(of_block, cost.targets).sums + cost.design.shrinkage(coefficients)


def _typical(cost: Cost, coefficients: Float[Array, "m k"]) -> Float[Array, ""]:
    """The median residual, or a small part of the mean one where more than half are 0."""
    inner = cost.design.inner(coefficients)

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        apart = jnp.abs(cost.units[0] * basis.scores(inner)[0] - targets)
        return Fold(share @ apart, each=apart)

    mean, _, each = cost.design.fold(of_block, cost.targets)
    return positive(jnp.maximum(jnp.median(each), jnp.sqrt(jnp.finfo(mean.dtype).eps) * mean))
