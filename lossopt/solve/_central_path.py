"""Along a central path to a minimum of piecewise-linear costs: the iteration that the interior-point methods share.

Each constraint has a slack and a multiplier, the room that it leaves to a force. At the optimum their product is 0; on
the path it is μ, the same for all, and μ → 0. An iteration solves Newton's equations of the path with one factorisation
for several steps: to μ = 0 (the predictor); with the μ and the second-order terms that its success suggests (the
corrector, Mehrotra 1992), of which those far above the mean product are cut off, for they belong to steps that are not
made (Gondzio 1996); and, where a method asks for more, once more for what rounding left.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ..losses._elementary import sums
from ..models import Params
from ..status import Status
from ._outcome import Outcome


# How far to the boundary a step may go.
_FRACTION = 0.9995
# The largest second-order term, in mean products.
_FAR = 10.0
# Up to how many numbers are few.
_FEW = 1024
# How many tolerances the certified gap may be, which is not quite the one that the iteration sees.
_SPARE = 25.0
# What a gap is compared with where the cost vanishes, in the problem's unit.
_LITTLE = 1e-3


class Path(NamedTuple):
    """An iterate, or a step: coefficients, what the cost is found from, multipliers, slacks of their constraints."""

    c: Float[Array, "*coefficients"]
    u: Float[Array, "*terms"]
    room: Float[Array, "*constraints"]
    slack: Float[Array, "*constraints"]


class Course(NamedTuple):
    """What the iteration asks of a problem.

    Attributes:
        cost: in the problem's unit.
        shortfall: what force and penalty leave of each other, in the coefficients.
        newton: from an iterate and its shortfall a function that gives the step to room * slack = product less the
            product of their changes, and may find it by correcting the last, the first time from a step of 0.
        penalised: the penalty couples force and coefficients, which then go equally far.
        attempts: steps that an iteration tries, of which it makes the last.
    """

    cost: Callable[[Path], Array]
    shortfall: Callable[[Path], Array]
    newton: Callable[[Path, Array], Callable[[Array, Path], Path]]
    penalised: Bool[Array, ""]
    attempts: int


class State(NamedTuple):
    """Where the iteration is, or how it ended; `distance` is how far the dual objective is below the cost."""

    path: Path
    short: Float[Array, "*coefficients"]
    distance: Float[Array, ""]
    iterations: Int[Array, ""]
    finished: Bool[Array, ""]


def follow(course: Course, start: Path, tolerance: Float[Array, ""], max_iterations: Int[Array, ""]) -> State:
    """From `start` to a duality gap of `tolerance` times the cost."""

    def unfinished(state: State) -> Array:
        return ~state.finished & (state.iterations < max_iterations)

    def iterate(state: State) -> State:
        path = _advance(course, state.path, state.short)
        short = course.shortfall(path)
        (gap,), unmet = _dots((path.room, path.slack)), jnp.vdot(jnp.abs(short), 1 + jnp.abs(path.c))
        # Not a number if anything is not.
        distance = gap + unmet
        # A step takes a share of the shortfall away. If it grows, that is rounding, which more steps make worse.
        cost = course.cost(path)
        within = tolerance * jnp.maximum(cost, _LITTLE)
        exhausted = (unmet > gap) & (gap <= within) & (jnp.sum(jnp.abs(short)) > jnp.sum(jnp.abs(state.short)))
        kept = jnp.isfinite(distance) & ~(exhausted & (distance > state.distance))
        path = jax.tree.map(lambda new, old: jnp.where(kept, new, old), path, state.path)
        # Nothing costs less than nothing; further on, coefficients that have no bound would grow.
        close = (distance <= within) | (cost <= 0)
        return State(path, short, distance, state.iterations + 1, close | exhausted | ~jnp.isfinite(distance))

    first = State(start, course.shortfall(start), jnp.full_like(tolerance, jnp.inf), jnp.array(0), jnp.array(False))
    return jax.lax.while_loop(unfinished, iterate, first)


class Found(NamedTuple):
    """Coefficients, what they cost and what the least cost cannot be below.

    `determined`: they are the only ones that cost so little; `unit` is the problem's.
    """

    coefficients: Float[Array, "*coefficients"]
    cost: Float[Array, ""]
    bound: Float[Array, ""]
    determined: Bool[Array, ""]
    unit: Float[Array, ""]
    iterations: Int[Array, ""]

    def near(self, tolerance: Float[Array, ""]) -> Bool[Array, ""]:
        """Whether the cost is as near to the bound as asked."""
        return self.cost - self.bound <= _SPARE * tolerance * jnp.maximum(self.cost, _LITTLE * self.unit)

    def outcome(
        self,
        params: Params,
        rounding: Float[Array, ""],
        deficient: Bool[Array, ""],
        tolerance: Float[Array, ""],
        max_iterations: Int[Array, ""],
    ) -> Outcome:
        """What a method hands back, for the parameters that the coefficients stand for."""
        good = jnp.where(deficient, Status.MINIMUM_NORM, Status.CONVERGED)
        good = jnp.where(self.determined, good, Status.NOT_UNIQUE)
        short = jnp.where(self.iterations >= max_iterations, Status.OUT_OF_STEPS, Status.STALLED)
        gap = jnp.maximum(self.cost - self.bound, 0.0) + rounding
        return Outcome(params, gap, self.iterations, jnp.where(self.near(tolerance), good, short), cost=self.cost)


def _advance(course: Course, path: Path, short: Array) -> Path:
    """One step, a fraction of the way to the boundary."""
    corrected, inverse = course.newton(path, short), 1 / path.room
    (gap,), nothing = _dots((path.room, path.slack)), jax.tree.map(jnp.zeros_like, path)

    def attempt(number: Array, last: tuple) -> tuple:
        step, aim, *_ = last
        step = corrected(aim, step)
        more = step.room * inverse
        room, slack = _lengths(course, jnp.min(more), jnp.min(step.slack / path.slack))
        # Where the product is to be 0, the relative changes of force and slack sum to -1.
        gained = step.room * path.slack
        total, curved = _dots((step.room, path.slack), (gained, more))
        # The sum of product (1 + room more) (1 - slack (1 + more)).
        left = (1 - slack) * gap + (room - slack) * total - room * slack * (total + curved)
        mean = gap / path.room.size
        corrector = mean * (left / gap) ** 3 + jnp.clip(gained + gained * more, -_FAR * mean, _FAR * mean)
        return step, jnp.where(number == 0, corrector, aim), room, slack

    # The predictor is the first, so that all are compiled once.
    first = nothing, nothing.room, jnp.zeros_like(gap), jnp.zeros_like(gap)
    step, _, room, slack = jax.lax.fori_loop(0, course.attempts, attempt, first)
    return jax.tree.map(lambda at, along, length: at + length * along, path, step, Path(slack, slack, room, slack))


def _dots(*pairs: tuple[Array, Array]) -> tuple[Array, ...]:
    """The sum of the products of each pair: of few numbers in one pass, which a batch does in less time."""
    if pairs[0][0].size <= _FEW:
        return sums(*((left * right).ravel() for left, right in pairs))
    return tuple(jnp.vdot(left, right) for left, right in pairs)


def _lengths(course: Course, room: Array, slack: Array) -> tuple[Array, Array]:
    """How much of a step to make: of force, and of coefficients with slacks; equally far if the penalty couples them.

    As far as the boundary allows, from the least relative change.
    """
    room, slack = (1 / jnp.maximum(-change / _FRACTION, 1.0) for change in (room, slack))
    both = jnp.minimum(room, slack)
    return jnp.where(course.penalised, both, room), jnp.where(course.penalised, both, slack)
