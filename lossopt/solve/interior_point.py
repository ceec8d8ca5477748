"""Primal-dual interior point for losses of two straight lines: absolute error, quantile, hinge.

With u = t - A c (t the target and A the rows; for a margin, t = 1 and A has the rows with the sign of the class) the cost is
Σ s (up max(u, 0) + down max(-u, 0)) + |P c|²/2, P the penalty. Its dual is over one force α per example:

    maximise  t'α - min_c over the penalty   subject to  -s down ≤ α ≤ s up,  A'α = P'P c.

Write x = α + s down and y = s up - α for the distances to the two bounds and u = v - z with v, z ≥ 0. At the optimum
x z = 0 and y v = 0; a path to it has x z = y v = μ → 0. Eliminating all but dc from Newton's equations of the path leaves

    (A' D A + P'P) dc = A' D (t - A c - μ/y + μ/x) - (P'P c - A'α),   D = 1/(v/y + z/x),

one factorisation, used twice: for a step to μ = 0 (the predictor), from whose success μ and the second-order terms of the
second are set (Mehrotra 1992; for quantiles, Portnoy and Koenker 1997). u is centred at least squares and scaled by the
mean residual, so that units do not matter.

The certificate does not rest on the iteration: `dual_bound` makes a force feasible and takes its dual objective.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from .. import losses
from ..status import Status
from ._design import Design
from ._outcome import Outcome
from ._piecewise import Lines, Problem
from .dual_bound import lower_bound


LOSSES = (losses.absolute_error, losses.quantile, losses.hinge)

# How far to the boundary a step may go.
_FRACTION = 0.9995
# How many tolerances the certified gap may be, which is not quite the one that the iteration sees.
_SPARE = 25.0
# How far from zero the slacks start, in units of the mean residual.
_APART = 0.3


class _Path(NamedTuple):
    """An iterate: coefficients, distances x, y of the force to its lower and upper bound, and u = v - z."""

    c: Float[Array, " m"]
    x: Float[Array, " n"]
    y: Float[Array, " n"]
    v: Float[Array, " n"]
    z: Float[Array, " n"]


class _State(NamedTuple):
    path: _Path
    iterations: Int[Array, ""]
    finished: Bool[Array, ""]


def lines(loss: losses.Loss, design: Design, targets: Shaped[Array, " n"]) -> Lines:
    """The two slopes of each example, measured one unit either side of its kink."""
    card, slope = losses.claims(loss), jax.vmap(jax.grad(loss))
    kink = card.kinks[0]
    if card.task == "regression":
        sign, target, labels = jnp.ones_like(design.share), targets, jnp.zeros_like(targets)
    else:
        sign = (2 * targets - 1).astype(design.share.dtype)
        target, labels = jnp.full_like(sign, kink), targets
    up, down = (jnp.abs(slope(sign * (kink + side), labels)) * design.share for side in (-1.0, 1.0))
    return Lines(sign[:, None] * design.rows, target, up, down)


def solve(
    loss: losses.Loss,
    design: Design,
    targets: Shaped[Array, " n"],
    l2: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² to a duality gap of `tolerance` times the cost."""
    regression = losses.claims(loss).task == "regression"
    problem = _standardised(lines(loss, design, targets), design, regression)
    penalised = l2 > 0

    def unfinished(state: _State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    def iterate(state: _State) -> _State:
        path = _advance(problem, state.path, penalised)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in path]))
        path = jax.tree.map(lambda new, old: jnp.where(finite, new, old), path, state.path)
        close = _distance(problem, path) <= tolerance * problem.size(path.c)
        return _State(path, state.iterations + 1, close | ~finite)

    start = _State(_start(problem), jnp.zeros((), int), jnp.array(False))
    ended = jax.lax.while_loop(unfinished, iterate, start)
    c = _vertex(problem, ended.path.c)
    force = ended.path.x - problem.lines.down
    gap = jnp.maximum(problem.cost(c) - lower_bound(problem, design, l2, force, c, inside=regression), 0.0)
    return _outcome(problem, design, c, gap, ended, _SPARE * tolerance, max_iterations)


def _standardised(given: Lines, design: Design, regression: bool) -> Problem:
    n, used = given.target.size, design.share > 0
    centre = given.rows.T @ (design.share * given.target) * float(regression)
    residual = given.target - given.rows @ centre
    mean = design.share @ jnp.abs(residual)
    unit = jnp.where((mean > jnp.finfo(mean.dtype).tiny) & regression, mean, 1.0)
    # An example that does not count becomes one at the origin, which moves nothing.
    up, down = (jnp.where(used, side, 1 / n) for side in (given.up, given.down))
    target = jnp.where(used, residual / unit, 0.0)
    return Problem(Lines(given.rows, target, up, down), design.penalty, centre, unit, used)


def _start(problem: Problem) -> _Path:
    _, target, up, down = problem.lines
    width = up + down
    # A force of zero satisfies the constraints, but not where it lies on the boundary.
    x = jnp.where((up > 0) & (down > 0), down, width / 2)
    c = jnp.zeros_like(problem.centre)
    return _Path(c, x, width - x, jnp.maximum(target, 0.0) + _APART, jnp.maximum(-target, 0.0) + _APART)


def _advance(problem: Problem, path: _Path, penalised: Array) -> _Path:
    """One predictor-corrector step, a fraction of the way to the boundary."""
    rows = problem.lines.rows
    _, x, y, v, z = path
    weight = 1 / (v / y + z / x)
    square = problem.unit * problem.penalty.T @ problem.penalty
    short, residual = _shortfall(problem, path), problem.lines.target - rows @ path.c
    solve_normal = _normal(rows.T @ (weight[:, None] * rows) + square)
    gap = x @ z + y @ v

    def attempt(_: int, found: tuple[_Path, Array, _Path]) -> tuple[_Path, Array, _Path]:
        # The step to x z = μ, y v = μ; the last attempt supplies μ and, of the products, the second-order terms.
        guess, mu, _ = found
        lower, upper = mu - guess.x * guess.z, mu - guess.y * guess.v
        aim = residual - upper / y + lower / x
        dc = solve_normal(rows.T @ (weight * aim) - short)
        dx = weight * (aim - rows @ dc)
        step = _Path(dc, dx, -dx, (upper + v * dx) / y - v, (lower - z * dx) / x - z)
        after = _moved(path, step, penalised)
        left = after.x @ after.z + after.y @ after.v
        return step, gap / (2 * x.size) * (left / gap) ** 3, after

    nothing = jax.tree.map(jnp.zeros_like, path)
    return jax.lax.fori_loop(0, 2, attempt, (nothing, jnp.zeros_like(gap), path))[2]


def _shortfall(problem: Problem, path: _Path) -> Array:
    """P'P c - A'α, which is zero for a force that balances the penalty."""
    total = problem.centre + problem.unit * path.c
    return problem.penalty.T @ (problem.penalty @ total) - problem.lines.rows.T @ (path.x - problem.lines.down)


def _normal(matrix: Array):
    """Solve with a matrix that may be singular, scaled to a unit diagonal first."""
    diagonal = jnp.diag(matrix)
    scale = jnp.where(diagonal > 0, jax.lax.rsqrt(jnp.where(diagonal > 0, diagonal, 1.0)), 1.0)
    jitter = 8 * jnp.finfo(matrix.dtype).eps * jnp.eye(scale.size, dtype=matrix.dtype)
    empty = jnp.diag(jnp.where(diagonal > 0, 0.0, 1.0))
    factor = jnp.linalg.cholesky(scale[:, None] * matrix * scale[None] + jitter + empty)
    return lambda right: scale * jax.scipy.linalg.cho_solve((factor, True), scale * right)


def _moved(path: _Path, step: _Path, penalised: Array) -> _Path:
    """As far as the boundary allows: force, and coefficients with slacks; equally far if the penalty couples them."""

    def furthest(*pairs: tuple[Array, Array]) -> Array:
        at, along = (jnp.concatenate(parts) for parts in zip(*pairs, strict=True))
        falling = along < 0
        return jnp.minimum(_FRACTION * jnp.min(jnp.where(falling, -at / jnp.where(falling, along, 1.0), jnp.inf)), 1.0)

    force, slack = furthest((path.x, step.x), (path.y, step.y)), furthest((path.v, step.v), (path.z, step.z))
    both = jnp.minimum(force, slack)
    force, slack = jnp.where(penalised, both, force), jnp.where(penalised, both, slack)
    lengths = _Path(slack, force, force, slack, slack)
    return jax.tree.map(lambda at, along, length: at + length * along, path, step, lengths)


def _distance(problem: Problem, path: _Path) -> Array:
    slack = path.x @ path.z + path.y @ path.v
    return slack + jnp.abs(_shortfall(problem, path)) @ (1 + jnp.abs(path.c))


def _vertex(problem: Problem, c: Array) -> Array:
    """The vertex next to c, through as many examples with the smallest residuals as fix it, unless it costs more."""
    rows, target = problem.lines.rows, problem.lines.target
    residual = target - rows @ c
    size = jnp.where(problem.used, jnp.abs(residual), jnp.inf)
    through = (size <= -jax.lax.top_k(-size, min(rows.shape))[0][-1]).astype(c.dtype)
    # The residuals are small already: as a correction, the normal equations of a few rows lose nothing.
    vertex = c + _normal(rows.T @ (through[:, None] * rows))(rows.T @ (through * residual))
    rounding = 1 + 4 * jnp.finfo(c.dtype).eps
    return jnp.where(problem.cost(vertex) <= rounding * problem.cost(c), vertex, c)


def _outcome(
    problem: Problem, design: Design, c: Array, gap: Array, ended: _State, tolerance: Array, most: Array
) -> Outcome:
    params = design.decode(problem.centre + problem.unit * c)
    found = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
    short = jnp.where(ended.iterations >= most, Status.OUT_OF_STEPS, Status.STALLED)
    code = jnp.where(gap <= tolerance * problem.size(c), found, short)
    finite = jnp.isfinite(problem.cost(c))
    return Outcome(params, problem.unit * gap, ended.iterations, jnp.where(finite, code, Status.DIVERGED))
