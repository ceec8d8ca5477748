"""How each algorithm is given its problem: as lines or as a smooth cost, from which start and in what units."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .. import losses
from ..status import GOOD, Status
from . import (
    _lbfgs_first,
    aggregation,
    concave_convex,
    interior_point,
    lbfgs,
    least_squares,
    newton,
    proximal_newton,
    rounding,
    simplex_interior_point,
)
from ._blocks import Fold
from ._columns import Columns, positive
from ._descent import Cost
from ._design import Design, SAMPLED
from ._outcome import Outcome
from ._piecewise import BY_CLASS, kind_of, lines
from ._plan import UNPROVED
from ._projection import projection
from ._traits import factor_of


# As often a range is halved at most, so that what is left of it is nothing beside it.
_HALVINGS = 60


def _by_least_squares(loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    curvature = losses.constant_curvature(loss)
    assert curvature is not None
    return least_squares.solve(basis, targets, penalty.l2, curvature)


def _smooth(minimise, loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    start, units, exact = _start(basis, targets, model, facts, orthonormal=penalty.l1 is None)
    if init is None and facts.explosive and basis.constants:
        start = _balanced(loss, basis, targets, start)
    if init is not None:
        start = basis.encode(init if model.classes is not None else jax.tree.map(lambda leaf: leaf[..., None], init))

    def in_units(score: Array, target: Array, *width: Array) -> Array:
        score = score * units
        return loss(score[0] if model.classes is None else score, target, *width)

    given = Cost(in_units, basis, targets, facts, controls[0], units)
    # Nothing is gained by going after a scale that falls for ever.
    steps = controls[1] if exact is None else jnp.where(exact, 0, controls[1])
    outcome = minimise(given, start / units[None], max_iterations=steps)
    if exact is not None:
        outcome = outcome._replace(code=jnp.where(exact, Status.NO_FINITE_MINIMISER, outcome.code))
    if model.classes is not None:
        return outcome
    return outcome._replace(params=jax.tree.map(lambda leaf: leaf[..., 0], outcome.params))


def _start(basis, targets, model, facts, *, orthonormal: bool) -> tuple[Array, Array, Array | None]:
    """Where descent starts unless it is told, one column a score, and the unit of each score.

    Also whether a scale has nothing to measure, if there is one.
    """
    share, columns = basis.share, model.classes or 1
    zero, units = jnp.zeros((basis.penalty.shape[1], columns), share.dtype), jnp.ones(columns, share.dtype)
    if facts.start == "zero":
        return zero, units, None
    by_score = targets.astype(share.dtype).reshape(len(targets), -1)
    if facts.start == "location and log scale":
        return _location_and_scale(basis, by_score[:, 0])
    if facts.start == "least squares" and orthonormal:
        # One that is no function of the residual is one of the target's share.
        units = units if facts.residual else positive(jnp.max(jnp.abs(by_score), axis=0))
        # Where there is one minimum, it need not begin near.
        return basis.project(by_score, SAMPLED) if facts.convex else projection(basis, by_score), units, None
    level = basis.mean(by_score)
    if facts.start == "log mean":
        # The mean of all targets: from 0, a large count would take Newton's first step out of the floats.
        level = jnp.log(jnp.where(level > 0, level, 1.0))
    return _constant(basis, level, orthonormal), units, None


def _location_and_scale(basis: Design, targets: Array) -> tuple[Array, Array, Array]:
    """Least squares and the spread of what they leave, which is the unit; and whether they leave only rounding.

    Then the scale, and with it the cost, falls for ever.
    """
    largest, location = positive(jnp.max(jnp.abs(targets))), projection(basis, targets[:, None])
    inner = basis.inner(location)

    def of_block(basis: Columns, share: Array, targets: Array) -> Fold:
        # Squares of the largest numbers are none.
        return Fold((jnp.stack([targets - basis.scores(inner)[0], targets]) / largest) ** 2 @ share)

    apart, size = largest * jnp.sqrt(basis.fold(of_block, targets).sums)
    exact = apart <= 1e3 * jnp.finfo(apart.dtype).eps * size
    spread = jnp.where(exact, 1.0, apart)
    scale = _constant(basis, jnp.log(spread)[None], orthonormal=True)
    return jnp.concatenate([location, scale], axis=1), jnp.stack([spread, jnp.ones_like(spread)]), exact


def _balanced(loss: losses.Loss, basis: Design, targets: Array, start: Array) -> Array:
    """The start, shifted to where slopes of one sign are not much beside those of the other, by bisection.

    Where a loss grows exponentially, a step of Newton's method goes by one unit of its exponent, however far out an
    example is.
    """
    inner = basis.inner(start)
    scores = basis.fold(lambda basis, share: Fold((), (), basis.scores(inner)[0])).each

    def out_of_balance(shift: Array) -> tuple[Array, Array]:
        slopes = jnp.where(basis.shares > 0, jax.vmap(jax.grad(loss))(scores + shift, targets), 0.0)
        total = basis.shares @ slopes
        return total, ~(2 * jnp.abs(total) <= basis.shares @ jnp.abs(slopes)) | jnp.isinf(total)

    def halve(state: tuple[Array, ...]) -> tuple[Array, ...]:
        low, high, shift, total, _, tries = state
        low, high = jnp.where(total > 0, low, shift), jnp.where(total > 0, shift, high)
        middle = (low + high) / 2
        return low, high, middle, *out_of_balance(middle), tries + 1

    def going(state: tuple[Array, ...]) -> Array:
        *_, failed, tries = state
        return failed & (tries < _HALVINGS)

    far = jnp.max(jnp.where(basis.shares > 0, jnp.abs(scores - targets.astype(scores.dtype)), 0.0))
    zero = jnp.zeros_like(far)
    begin: tuple[Array, ...] = (-far, far, zero, *out_of_balance(zero), jnp.zeros((), int))
    _, _, shift, _, failed, _ = jax.lax.while_loop(going, halve, begin)
    return start + _constant(basis, jnp.where(failed, 0.0, shift)[None], orthonormal=True)


def _constant(basis: Design, level: Array, orthonormal: bool) -> Array:
    """The coefficients of scores that are the same for all examples, or of those nearest to them."""
    if orthonormal and not basis.constants:
        return basis.project(jnp.broadcast_to(level, (basis.features.shape[0], level.size)))
    return basis.constant(level)


def _by_interior_point(minimise, loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    kind = kind_of(loss)
    if kind is not None and kind in BY_CLASS:
        return _by_simplices(loss, kind, basis, targets, penalty, controls, model)
    options = {"regression": losses.claims(loss).task != "binary"} | ({} if penalty.l1 is None else {"l1": penalty.l1})

    def of_output(output: Array | int) -> Outcome:
        given = functools.partial(lines, loss, outputs=model.classes, output=output)
        return minimise(given, targets, basis, penalty.l2, *controls, **options)

    if model.classes is None:
        return of_output(0)
    each = jax.vmap(of_output)(jnp.arange(model.classes))
    ended = jnp.isin(each.code, jnp.array(GOOD))
    code = jnp.max(jnp.where(ended & ~jnp.all(ended), 0, each.code))
    return Outcome(
        params=jax.tree.map(jnp.transpose, each.params),
        gap=jnp.sum(each.gap),
        iterations=jnp.max(each.iterations),
        code=code,
        doubtful=jnp.any(each.doubtful),
        cost=jax.tree.map(jnp.sum, each.cost),
    )


def _by_concave_convex(loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    start = None if init is None else basis.encode(init)
    given = lines(losses.hinge, basis.share, targets)
    return concave_convex.solve(given, basis, start, penalty.l2, *controls)


def _by_simplices(loss, kind, basis, targets, penalty, controls, model) -> Outcome:
    behind = jnp.zeros(model.classes, basis.share.dtype).at[1].set(-1.0)
    kinks, factor = losses.claims(kind).kinks, factor_of(loss, behind)
    assert isinstance(kinks, tuple)
    options = {"classes": model.classes, "margin": kinks[0], "apart": kind is losses.weston_watkins}
    return simplex_interior_point.solve(basis, targets, penalty.l2, factor, *controls, **options)


def _by_rounding(loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    minimise = functools.partial(rounding.solve, loss=loss)
    return _smooth(minimise, rounding.rounded(loss), basis, targets, penalty, init, controls, model, facts)


def _by_proximal_newton(minimise, loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    unpenalised = jnp.zeros(basis.constants, basis.size.dtype)
    thresholds = jnp.concatenate([unpenalised, penalty.l1 / basis.size])
    quadratic = losses.constant_curvature(loss) is not None
    minimise = functools.partial(minimise, thresholds=thresholds, quadratic=quadratic)
    return _smooth(minimise, loss, basis, targets, penalty, init, controls, model, facts)


# By name: of a loss, its basis and targets, penalties, a start, controls, the model and traits.
ALGORITHMS: dict[str, Callable[..., Outcome]] = {
    "least_squares": _by_least_squares,
    "newton": functools.partial(_smooth, newton.solve),
    UNPROVED["newton"]: functools.partial(_smooth, functools.partial(newton.solve, prove=False)),
    "lbfgs": functools.partial(_smooth, lbfgs.solve),
    UNPROVED["lbfgs"]: functools.partial(_smooth, functools.partial(lbfgs.solve, prove=False)),
    "lbfgs, newton": functools.partial(_smooth, _lbfgs_first.solve),
    "interior_point": functools.partial(_by_interior_point, interior_point.solve),
    "aggregation": functools.partial(_by_interior_point, aggregation.solve),
    "concave_convex": _by_concave_convex,
    "proximal_newton": functools.partial(_by_proximal_newton, proximal_newton.solve),
    UNPROVED["proximal_newton"]: functools.partial(
        _by_proximal_newton, functools.partial(proximal_newton.solve, prove=False)
    ),
    "rounding": _by_rounding,
}
