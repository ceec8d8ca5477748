"""Primal-dual interior point for piecewise-linear losses: absolute error, quantiles, dead zones, hinges.

With u = t - A c (t the target and A the rows; for a margin, t = 1 and A has the rows with the sign of the class) the
cost is Σ s (up max(u, 0) + down max(-u, 0)) + |P c|²/2, P the penalty. Its dual is over one force α per example:

    maximise  t'α - min_c over the penalty   subject to  -s down ≤ α ≤ s up,  A'α = P'P c.

Write x = α + s down and y = s up - α for the distances to the two bounds and u = v - z with v, z ≥ 0. At the optimum
x z = 0 and y v = 0; a path to it has x z = y v = μ → 0. Eliminating all but dc from Newton's equations of the path
leaves

    (A' D A + P'P) dc = A' D (t - A c + μ/x - μ/y) - (P'P c - A'α),   D = 1/(z/x + v/y),

one factorisation, used twice: for a step to μ = 0 (the predictor), from whose success μ and the second-order terms
of the second are set (Mehrotra 1992; for quantiles, Portnoy and Koenker 1997). u is centred at least squares and
scaled by the mean residual, so that units do not matter. (x, y) and (z, v) are kept as arrays of two rows, the lower
bound's first; of A the transpose is kept, the basis of the design. Each term of an example has u, x, y, z and v.

The certificate does not rest on the iteration: `dual_bound` makes a force feasible and takes its dual objective.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..status import Status
from ._design import Design
from ._factor import triangle_of
from ._normal import gram, normal_solver
from ._outcome import Outcome
from ._piecewise import Lines, Problem
from .dual_bound import lower_bound


# How far to the boundary a step may go.
_FRACTION = 0.9995
# How many tolerances the certified gap may be, which is not quite the one that the iteration sees.
_SPARE = 25.0
# The share of the tolerance at which the gap that the iteration sees is no longer worth a step.
_HARDLY = 1e-2
# What a gap is compared with where the cost vanishes, in units of the mean residual.
_LITTLE = 1e-3
# How far from zero the slacks start, in units of the mean residual.
_APART = 0.3


class _Path(NamedTuple):
    """An iterate: coefficients, u, the force's distances (x, y) to its bounds, slacks (z, v) with u = v - z."""

    c: Float[Array, " m"]
    u: Float[Array, "terms n"]
    room: Float[Array, "2 terms n"]
    slack: Float[Array, "2 terms n"]


class Found(NamedTuple):
    """Coefficients, what they cost and what the least cost cannot be below.

    `determined`: they are the only ones that cost so little; `unit` is the mean residual.
    """

    coefficients: Float[Array, " m"]
    cost: Float[Array, ""]
    bound: Float[Array, ""]
    determined: Bool[Array, ""]
    unit: Float[Array, ""]
    iterations: Int[Array, ""]

    def near(self, tolerance: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether the cost is as near to the bound as asked."""
        return self.cost - self.bound <= _SPARE * tolerance * jnp.maximum(self.cost, _LITTLE * self.unit)

    def outcome(
        self, given: Lines, design: Design, tolerance: Float[Array, ""], max_iterations: Int[Array, ""]
    ) -> Outcome:
        """What `solve` hands back."""
        size = jnp.vdot(jnp.maximum(given.up, given.down), jnp.abs(given.target))
        gap = jnp.maximum(self.cost - self.bound, 0.0) + 4 * jnp.finfo(size.dtype).eps * size
        good = jnp.where(design.deficient, Status.MINIMUM_NORM, Status.CONVERGED)
        good = jnp.where(self.determined, good, Status.NOT_UNIQUE)
        short = jnp.where(self.iterations >= max_iterations, Status.OUT_OF_STEPS, Status.STALLED)
        code = jnp.where(self.near(tolerance), good, short)
        return Outcome(design.decode(self.coefficients), gap, self.iterations, code)


class _State(NamedTuple):
    path: _Path
    short: Float[Array, " m"]
    iterations: Int[Array, ""]
    finished: Bool[Array, ""]


def solve(
    given: Lines,
    design: Design,
    l2: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
    *,
    regression: bool,
) -> Outcome:
    """Minimise Σ s loss + l2/2 |w|² to a duality gap of `tolerance` times the cost."""
    centre = design.project(jnp.mean(given.target, axis=0)[:, None])[:, 0] * float(regression)
    table = design.basis * given.sign[None]
    found = search(given, table, design.share, centre, design, l2, tolerance, max_iterations, regression=regression)
    return found.outcome(given, design, tolerance, max_iterations)


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
    problem = _standardised(given, table, share, centre, design, regression)

    def unfinished(state: _State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    def iterate(state: _State) -> _State:
        path = _advance(problem, state.path, state.short, l2 > 0)
        short = _shortfall(problem, path)
        # How far the dual objective is below the cost; not a number if anything is not.
        gap = jnp.vdot(path.room, path.slack)
        distance = gap + jnp.abs(short) @ (1 + jnp.abs(path.c))
        finite = jnp.isfinite(distance)
        path = jax.tree.map(lambda new, old: jnp.where(finite, new, old), path, state.path)
        # What is left where there is hardly a gap is rounding, which more steps make worse.
        within = tolerance * jnp.maximum(problem.cost_of(path.u, path.c), _LITTLE)
        close = (distance <= within) | (gap <= _HARDLY * within)
        return _State(path, short, state.iterations + 1, close | ~finite)

    start = _start(problem)
    first = _State(start, _shortfall(problem, start), jnp.zeros((), int), jnp.array(False))
    ended = jax.lax.while_loop(unfinished, iterate, first)
    c, least, determined = _vertex(problem, ended.path)
    force = ended.path.room[0] - problem.lines.down
    bound = lower_bound(problem, design, l2, force, c, inside=regression)
    return Found(
        coefficients=problem.total(c),
        cost=problem.unit * least,
        bound=problem.unit * bound,
        determined=determined,
        unit=problem.unit,
        iterations=ended.iterations,
    )


def _standardised(given: Lines, table: Array, share: Array, centre: Array, design: Design, regression: bool) -> Problem:
    n, used = share.size, share > 0
    residual = given.target - (centre @ table)[None]
    mean = share @ jnp.mean(jnp.abs(residual), axis=0)
    unit = jnp.where((mean > jnp.finfo(mean.dtype).tiny) & regression, mean, 1.0)
    # An example that does not count becomes one at the origin, which moves nothing.
    target = jnp.where(used, residual / unit, 0.0)
    up, down = (jnp.where(used, side, 1 / n) for side in (given.up, given.down))
    square = design.penalty.T @ design.penalty
    return Problem(table, Lines(given.sign, target, up, down), square, centre, unit, share)


def _start(problem: Problem) -> _Path:
    _, target, up, down = problem.lines
    width = up + down
    # A force of zero satisfies the constraints, but not where it lies on the boundary.
    x = jnp.where((up > 0) & (down > 0), down, width / 2)
    slack = jnp.maximum(jnp.stack([-target, target]), 0.0) + _APART
    return _Path(jnp.zeros_like(problem.centre), target, jnp.stack([x, width - x]), slack)


def _advance(problem: Problem, path: _Path, short: Array, penalised: Array) -> _Path:
    """One predictor-corrector step, a fraction of the way to the boundary."""
    basis, (_, u, room, slack) = problem.basis, path
    weight, sign = 1 / jnp.sum(slack / room, axis=0), jnp.array([1.0, -1.0], room.dtype)[:, None, None]
    solve_normal = normal_solver(gram(basis, jnp.sum(weight, axis=0)) + problem.unit * problem.square)
    gap = jnp.vdot(room, slack)

    def attempt(index: Int[Array, ""], found: tuple[_Path, Array, _Path]) -> tuple[_Path, Array, _Path]:
        # The step to room * slack = μ; the last attempt supplies μ and the second-order terms.
        guess, mu, _ = found
        product = mu - guess.room * guess.slack
        aim = u + jnp.sum(sign * product / room, axis=0)
        dc = solve_normal(basis @ jnp.sum(weight * aim, axis=0) - short)
        du = jnp.broadcast_to(-(dc @ basis), u.shape)
        along = sign * (weight * (aim + du))[None]
        step = _Path(dc, du, along, (product - slack * along) / room - slack)
        after = _moved(path, step, penalised)
        left = jnp.vdot(after.room, after.slack)
        return step, gap / room.size * (left / gap) ** 3, after

    nothing = jax.tree.map(jnp.zeros_like, path)
    return jax.lax.fori_loop(0, 2, attempt, (nothing, jnp.zeros_like(gap), path))[2]


def _shortfall(problem: Problem, path: _Path) -> Array:
    """P'P c - A'α, which is zero for a force that balances the penalty."""
    force = jnp.sum(path.room[0] - problem.lines.down, axis=0)
    return problem.square @ problem.total(path.c) - problem.basis @ force


def _moved(path: _Path, step: _Path, penalised: Array) -> _Path:
    """As far as the boundary allows: force, and coefficients with slacks; equally far if the penalty couples them."""

    def furthest(at: Array, along: Array) -> Array:
        falling = along < 0
        return jnp.minimum(_FRACTION * jnp.min(jnp.where(falling, -at / jnp.where(falling, along, 1.0), jnp.inf)), 1.0)

    room, slack = furthest(path.room, step.room), furthest(path.slack, step.slack)
    both = jnp.minimum(room, slack)
    room, slack = jnp.where(penalised, both, room), jnp.where(penalised, both, slack)
    return jax.tree.map(lambda at, along, length: at + length * along, path, step, _Path(slack, slack, room, slack))


def _vertex(problem: Problem, path: _Path) -> tuple[Array, Array, Array]:
    """The vertex next to the iterate and its cost, unless it costs more than the iterate, and then that.

    An example on which the vertex lies has slacks that go to 0 and a force between its bounds; others the reverse. The
    path leads to the middle of all minimisers: if there are several, the examples through which they all pass do not
    determine one.
    """
    basis = problem.basis
    inside = jnp.max(path.slack, axis=0) < jnp.min(path.room, axis=0) / jnp.sum(path.room, axis=0)
    through = (inside & (problem.share > 0)[None]).astype(basis.dtype)
    crossed = gram(basis, jnp.sum(through, axis=0))
    # The residuals are small already: as a correction, the normal equations of a few rows lose nothing.
    across = normal_solver(crossed)(basis @ jnp.sum(through * path.u, axis=0))
    both = jnp.stack([path.c, path.c + across])
    costs, rounding = jax.vmap(problem.cost)(both), 1 + 4 * jnp.finfo(basis.dtype).eps
    best = (costs[1] <= rounding * costs[0]).astype(int)
    # What no example sees is left out: of that the design tells.
    unseen = jnp.diag((~jnp.any(basis != 0, axis=1)).astype(basis.dtype))
    return both[best], costs[best], triangle_of(crossed + problem.square + unseen).sound
