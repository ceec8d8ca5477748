"""Primal-dual interior point for piecewise-linear losses: absolute error, quantiles, dead zones, hinges.

With u = t - A c (t the target and A the rows; for a margin, t = 1 and A has the rows with the sign of the class) the
cost is Σ s (up max(u, 0) + down max(-u, 0)) + |P c|²/2, P the penalty. Its dual is over one force α per example:

    maximise  t'α - min_c over the penalty   subject to  -s down ≤ α ≤ s up,  A'α = P'P c.

Write x = α + s down and y = s up - α for the distances to the two bounds and u = v - z with v, z ≥ 0. At the optimum
x z = 0 and y v = 0; a path to it has x z = y v = μ → 0. Eliminating all but dc from Newton's equations of the path
leaves

    (A' D A + P'P) dc = A' D (t - A c + μ/x - μ/y) - (P'P c - A'α),   D = 1/(z/x + v/y),

one factorisation, of which `_central_path` makes a predictor and a corrector (for quantiles, Portnoy and Koenker 1997).
u is centred at least squares and scaled by the mean residual, so that units do not matter. (x, y) and (z, v) are kept
as arrays of two rows, the lower bound's first; of A the transpose is kept, the basis of the design. Each term of an
example has u, x, y, z and v.

The certificate does not rest on the iteration: `dual_bound` makes a force feasible and takes its dual objective.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from ._central_path import Course, follow, Found, Path
from ._columns import positive, power_of_two
from ._design import Design
from ._factor import one_minimiser
from ._normal import gram, normal_solver, times
from ._outcome import Outcome
from ._piecewise import Given, Lines, Problem
from .dual_bound import lower_bound, spare


# How far from zero the slacks start, in units of the mean residual.
_APART = 0.3
# What is left of a weight that is 0 at the minimum, beside the largest coefficient: at least so many units of rounding.
_NOTHING, _UNITS = 1e-9, 16


def solve(
    given: Given,
    targets: Shaped[Array, " n"],
    design: Design,
    l2: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
    *,
    regression: bool,
    l1: Float[Array, ""] | None = None,
) -> Outcome:
    """Minimise Σ s loss + l1 |w| + l2/2 |w|² to a duality gap of `tolerance` times the cost.

    With l1 the columns of the design are those of the table.
    """
    share, of_each = design.share, given(design.share, targets)
    level = jnp.mean(of_each.target, axis=0) * float(regression)
    table = design.basis * of_each.sign[None]
    if l1 is None:
        centre = design.project(level[:, None])[:, 0]
    else:
        centre = jnp.where(jnp.arange(len(table)) < design.constants, share @ level, 0.0)
        of_each, table, share = _with_weights(of_each, table, share, design, l1)
    found = search(of_each, table, share, centre, design, l2, tolerance, max_iterations, regression=regression)
    if l1 is not None:
        found = _with_zeros(found, of_each, table, design, tolerance)
    return outcome(found, of_each.size(), design, tolerance, max_iterations)


def _with_weights(given: Lines, table: Array, share: Array, design: Design, l1: Array) -> tuple[Lines, Array, Array]:
    """The examples, and one more for each weight w, whose |w| is the absolute error of a score w at a target of 0."""
    terms, d = given.target.shape[0], design.size.size
    slope, nothing = jnp.full((terms, d), l1 / terms), jnp.zeros((terms, d), l1.dtype)
    lines = Lines(
        sign=jnp.concatenate([given.sign, jnp.ones(d, share.dtype)]),
        target=jnp.concatenate([given.target, nothing], axis=1),
        up=jnp.concatenate([given.up, slope], axis=1),
        down=jnp.concatenate([given.down, slope], axis=1),
    )
    # What has no share must lie at the origin.
    weights = jnp.where(l1 > 0, design.weights_of.T, 0.0)
    weights = jnp.concatenate([jnp.zeros((design.constants, d), share.dtype), weights])
    return lines, jnp.concatenate([table, weights], axis=1), jnp.concatenate([share, jnp.full(d, l1)])


def _with_zeros(found: Found, given: Lines, table: Array, design: Design, tolerance: Array) -> Found:
    """With 0 for coefficients that are nothing beside the largest, unless the cost would rise by more than asked."""
    c = found.coefficients
    nothing = max(_NOTHING, _UNITS * float(jnp.finfo(c.dtype).eps))
    small = (jnp.abs(c) <= nothing * jnp.max(jnp.abs(c))) & (jnp.arange(c.size) >= design.constants)
    rounded = jnp.where(small, 0.0, c)
    cost = given.cost(given.target - (rounded @ table)[None]) + design.shrinkage(rounded)
    fits = cost <= found.cost + tolerance * jnp.abs(found.cost)
    return found._replace(coefficients=jnp.where(fits, rounded, c), cost=jnp.where(fits, cost, found.cost))


def outcome(
    found: Found, size: Float[Array, ""], design: Design, tolerance: Float[Array, ""], max_iterations: Int[Array, ""]
) -> Outcome:
    """What `solve` hands back, for lines of a size."""
    params = design.decode(found.coefficients)
    return found.outcome(params, rounding(size), design.deficient, tolerance, max_iterations)


def rounding(size: Float[Array, ""]) -> Float[Array, ""]:
    """That of a cost, for lines of a size."""
    return 4 * jnp.finfo(size.dtype).eps * size


def search(
    given: Lines,
    table: Float[Array, "m n"],
    share: Float[Array, " n"],
    centre: Float[Array, " m"],
    design: Design,
    l2: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
    *,
    regression: bool,
) -> Found:
    """The same for examples that need not be those of the design, near `centre`; the table has their signs."""
    # Near the mean slope.
    steep = power_of_two(positive(jnp.sum(jnp.maximum(given.up, given.down))))
    given, l2 = given._replace(up=given.up / steep, down=given.down / steep), l2 / steep
    problem = _standardised(given, table, share, centre, design.penalty.T @ design.penalty / steep, regression)
    unit = steep * problem.unit

    course = Course(
        cost=lambda path: problem.cost_of(path.u, path.c),
        shortfall=functools.partial(_shortfall, problem),
        newton=functools.partial(_newton, problem),
        penalised=l2 > 0,
        attempts=2,
    )
    ended = follow(course, _start(problem), tolerance, max_iterations)
    path, through = ended.path, _on_vertex(problem, ended.path)
    force = jnp.where(share > 0, jnp.sum(path.room[0] - problem.lines.down, axis=0), 0.0)
    # Weights and what pulls at each example: for the vertex, and for the bound.
    fits = [(jnp.sum(through, axis=0), jnp.sum(through * path.u, axis=0))]
    fits += [(spare(problem, force), force)] * regression
    # One after the other: compiled once, and no larger.
    stacked = tuple(jnp.stack(each) for each in zip(*fits, strict=True))
    (crossed, *_), (across, *seen) = jax.lax.map(lambda fit: _normal_fit(problem.basis, *fit), stacked)
    c, least, determined = _vertex(problem, path, crossed, across)
    bound = lower_bound(problem, design, l2, force, c, *(seen or [None]))
    return Found(
        coefficients=problem.total(c),
        cost=unit * least,
        bound=unit * bound,
        determined=determined,
        unit=unit,
        iterations=ended.iterations,
    )


def _standardised(given: Lines, table: Array, share: Array, centre: Array, square: Array, regression: bool) -> Problem:
    n, used = share.size, share > 0
    residual = given.target - (centre @ table)[None]
    mean = share @ jnp.mean(jnp.abs(residual), axis=0)
    unit = jnp.where((mean > jnp.finfo(mean.dtype).tiny) & regression, mean, 1.0)
    # An example that does not count becomes one at the origin, which moves nothing.
    target = jnp.where(used, residual / unit, 0.0)
    up, down = (jnp.where(used, side, 1 / n) for side in (given.up, given.down))
    return Problem(table, Lines(given.sign, target, up, down), square, centre, unit, share)


def _start(problem: Problem) -> Path:
    _, target, up, down = problem.lines
    width = up + down
    # A force of zero satisfies the constraints, but not where it lies on the boundary.
    x = jnp.where((up > 0) & (down > 0), down, width / 2)
    slack = jnp.maximum(jnp.stack([-target, target]), 0.0) + _APART
    return Path(jnp.zeros_like(problem.centre), target, jnp.stack([x, width - x]), slack)


def _newton(problem: Problem, path: Path, short: Array) -> Callable[[Array, Path], Path]:
    basis, (_, u, room, slack) = problem.basis, path
    sign, inverse = jnp.array([1.0, -1.0], room.dtype)[:, None, None], 1 / room
    # Sums of two: reductions would take longer.
    below, above = slack * inverse
    weight = 1 / (below + above)
    solve_normal = normal_solver(gram(basis, jnp.sum(weight, axis=0)) + problem.unit * problem.square)

    def step_to(product: Array, _: Path) -> Path:
        below, above = product * inverse
        aim = u + below - above
        dc = solve_normal(basis @ jnp.sum(weight * aim, axis=0) - short)
        du = jnp.broadcast_to(-(dc @ basis), u.shape)
        along = sign * (weight * (aim + du))[None]
        return Path(dc, du, along, (product - slack * along) * inverse - slack)

    return step_to


def _shortfall(problem: Problem, path: Path) -> Array:
    """P'P c - A'α, which is zero for a force that balances the penalty."""
    force = jnp.sum(path.room[0] - problem.lines.down, axis=0)
    return times(problem.square, problem.total(path.c)) - problem.basis @ force


def _normal_fit(basis: Array, weights: Array, pull: Array) -> tuple[Array, Array]:
    """A Gram matrix of weights, and the solution of its normal equations for what pulls at each example."""
    squares = gram(basis, weights)
    return squares, normal_solver(squares)(basis @ pull)


def _on_vertex(problem: Problem, path: Path) -> Array:
    """1 for each term on whose kink the vertex next to the iterate lies.

    It has slacks that go to 0 and a force between its bounds; others the reverse.
    """
    inside = jnp.max(path.slack, axis=0) < jnp.min(path.room, axis=0) / jnp.sum(path.room, axis=0)
    return (inside & (problem.share > 0)[None]).astype(problem.basis.dtype)


def _vertex(problem: Problem, path: Path, crossed: Array, across: Array) -> tuple[Array, Array, Array]:
    """The vertex next to the iterate and its cost, unless it costs more than the iterate, and then that.

    `across` leads there, `crossed` is the Gram matrix of the examples that it lies on. The residuals are small already:
    as a correction, the normal equations of a few rows lose nothing. The path leads to the middle of all minimisers: if
    there are several, the examples through which they all pass do not determine one.
    """
    both = jnp.stack([path.c + across, path.c])
    there, here = jax.vmap(problem.cost)(both)
    better = there <= (1 + 4 * jnp.finfo(here.dtype).eps) * here
    found = jnp.where(better, both[0], both[1]), jnp.where(better, there, here)
    return *found, one_minimiser(crossed + problem.square, problem.basis)
