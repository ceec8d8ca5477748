"""How each algorithm is given its problem: as lines or as a smooth cost, from which start and in what units."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

from .. import losses, models
from ..status import GOOD
from . import (
    aggregation,
    concave_convex,
    interior_point,
    lbfgs,
    least_squares,
    newton,
    proximal_newton,
    simplex_interior_point,
)
from ._descent import Cost
from ._design import SAMPLED
from ._outcome import Outcome
from ._piecewise import BY_CLASS, lines
from ._traits import constant_curvature


def _by_least_squares(loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    curvature = constant_curvature(loss)
    assert curvature is not None
    return least_squares.solve(basis, targets, penalty.l2, curvature)


def _smooth(minimise, loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    start, units = _start(basis, targets, model, facts, orthonormal=penalty.l1 is None)
    if init is not None:
        start = basis.encode(init if model.classes is not None else jax.tree.map(lambda leaf: leaf[..., None], init))

    def in_units(score: Array, target: Array) -> Array:
        score = score * units
        return loss(score[0] if model.classes is None else score, target)

    given = Cost(in_units, basis, targets, facts, controls[0], units)
    outcome = minimise(given, start / units[None], max_iterations=controls[1])
    if model.classes is not None:
        return outcome
    return outcome._replace(params=jax.tree.map(lambda leaf: leaf[..., 0], outcome.params))


def _start(basis, targets, model, facts, *, orthonormal: bool) -> tuple[Array, Array]:
    """Where descent starts unless it is told, one column a score, and the unit of each score."""
    share, columns = basis.share, model.classes or 1
    zero, units = jnp.zeros((basis.penalty.shape[1], columns), share.dtype), jnp.ones(columns, share.dtype)
    if facts.start == "zero":
        return zero, units
    by_score = targets.astype(share.dtype).reshape(share.size, -1)
    if facts.start == "least squares" and orthonormal:
        # Where there is one minimum, it need not begin near.
        return basis.project(by_score, SAMPLED if facts.convex else 1), units
    level = share @ by_score
    if facts.start == "log mean":
        # The mean of all targets: from 0, a large count would take Newton's first step out of the floats.
        level = jnp.log(jnp.where(level > 0, level, 1.0))
    if facts.start == "location and log scale":
        apart = jnp.sqrt(share @ (by_score - level[None]) ** 2)
        spread = jnp.where(apart > 1e3 * jnp.finfo(share.dtype).eps * jnp.abs(level), apart, 1.0)
        level, units = jnp.concatenate([level, jnp.log(spread)]), jnp.concatenate([spread, jnp.ones_like(spread)])
    if basis.constants:
        return basis.encode(models.Params(jnp.zeros((basis.features.shape[1], columns), share.dtype), level)), units
    return (basis.project(jnp.broadcast_to(level, (share.size, columns))) if orthonormal else zero), units


def _by_interior_point(minimise, loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    if losses.unbound(loss) in BY_CLASS:
        return _by_simplices(loss, basis, targets, penalty, controls, model)
    options = {"regression": losses.claims(loss).task != "binary"} | ({} if penalty.l1 is None else {"l1": penalty.l1})

    def of_output(output: Array | int) -> Outcome:
        given = functools.partial(lines, loss, outputs=model.classes, output=output)
        return minimise(given, targets, basis, penalty.l2, *controls, **options)

    if model.classes is None:
        return of_output(0)
    params, gaps, iterations, codes, doubtful = jax.vmap(of_output)(jnp.arange(model.classes))
    ended = jnp.isin(codes, jnp.array(GOOD))
    code = jnp.max(jnp.where(ended & ~jnp.all(ended), 0, codes))
    by_feature = jax.tree.map(jnp.transpose, params)
    return Outcome(by_feature, jnp.sum(gaps), jnp.max(iterations), code, jnp.any(doubtful))


def _by_concave_convex(loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    start = None
    if init is not None:
        start = basis.encode(jax.tree.map(lambda leaf: leaf[..., None], init))[:, 0]
    given = lines(losses.hinge, basis.share, targets)
    return concave_convex.solve(given, basis, start, penalty.l2, *controls)


def _by_simplices(loss, basis, targets, penalty, controls, model) -> Outcome:
    kinks, apart = losses.claims(loss).kinks, losses.unbound(loss) is losses.weston_watkins
    assert isinstance(kinks, tuple)
    return simplex_interior_point.solve(
        basis, targets, penalty.l2, *controls, classes=model.classes, margin=kinks[0], apart=apart
    )


def _by_proximal_newton(loss, basis, targets, penalty, init, controls, model, facts) -> Outcome:
    unpenalised = jnp.zeros(basis.constants, basis.size.dtype)
    thresholds = jnp.concatenate([unpenalised, penalty.l1 / basis.size])
    quadratic = constant_curvature(loss) is not None
    minimise = functools.partial(proximal_newton.solve, thresholds=thresholds, quadratic=quadratic)
    return _smooth(minimise, loss, basis, targets, penalty, init, controls, model, facts)


# By name: of a loss, its basis and targets, penalties, a start, controls, the model and traits.
ALGORITHMS: dict[str, Callable[..., Outcome]] = {
    "least_squares": _by_least_squares,
    "newton": functools.partial(_smooth, newton.solve),
    "lbfgs": functools.partial(_smooth, lbfgs.solve),
    "interior_point": functools.partial(_by_interior_point, interior_point.solve),
    "aggregation": functools.partial(_by_interior_point, aggregation.solve),
    "concave_convex": _by_concave_convex,
    "proximal_newton": _by_proximal_newton,
}
