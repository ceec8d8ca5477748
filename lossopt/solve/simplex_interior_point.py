"""Primal-dual interior point for losses that are maxima over classes: the multiclass hinges and perceptron.

A loss is a sum over groups of the largest of a few pieces that are linear in the scores z: of the k pieces
z_j - z_y + b_j, where y is the labelled class (Crammer and Singer, and the perceptron), or, for each class j, of the
pieces 0 and z_j - z_y + b_j (Weston and Watkins). b is the margin, 0 for the class y itself. With t the largest, with
d_j'z + b_j for the pieces and C for the coefficients of the classes, the cost is

    minimise  Σ s t + |P C|²/2   subject to the slacks  w_j = t - d_j'z - b_j ≥ 0,

and its dual is over a simplex for each group of an example:

    maximise  Σ p b - min_C over the penalty   subject to  p ≥ 0, Σ_j p_j = s,  Σ_i a_i ⊗ Σ_j p_j d_j = -P'P C,

a_i being the example in the basis. On the path p w = μ → 0. With q = p/w, Q = Σ_j q_j, d̄ = Σ_j q_j d_j / Q and
r = μ - p w for each piece, Newton's equations of the path leave

    (Σ a a' ⊗ W + P'P) dC = -(P'P C + Σ a ⊗ Σ_j p_j d_j) - Σ a ⊗ Σ_j (r_j/w_j) (d_j - d̄),
    W = Σ_j q_j (d_j - d̄)(d_j - d̄)',   dt = (Σ_j r_j/w_j + q_j d_j'dz) / Q.

W is that of springs between the classes, Σ_{i<j} v_ij (e_i - e_j)(e_i - e_j)', with v_ij = q_i q_j / Q between all, or
v_jy = 1/(1/q_j + 1/q_0) between each and y, q_0 being of the piece 0. So written it is a sum of positive terms, each of
which is accurate however far apart they are. Where too few examples pass through the minimum, the equations are so
ill-conditioned that force and penalty would drift apart but for two more steps, each of which corrects the last.

Equal changes of all classes change no loss. Of the coefficients those of the commonest class are kept at 0, from which
the others hang by strong springs, and all are centred in the end, where the penalty is least. The penalty of the
centred ones is (1 - 11'/k) ⊗ P'P in the others.

The certificate: p, scaled to sum to s, is feasible but for what coefficients without a penalty still feel, and that is
charged for as in `dual_bound`.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ._central_path import Course, follow, Found, Path
from ._design import Design
from ._factor import one_minimiser
from ._normal import gram, moments, normal_solver
from ._outcome import Outcome
from .dual_bound import absorbed, charge


# How far from zero the slacks start, in margins.
_APART = 3.0


class _Problem(NamedTuple):
    """The pieces of each group along the first axis, the groups along the second: one, or one a class if `apart`.

    The classes are turned so that the commonest is the last. An example that does not count is one at the origin.
    """

    basis: Float[Array, "m n"]
    own: Bool[Array, "k n"]
    offset: Float[Array, "pieces groups n"]
    share: Float[Array, " n"]
    square: Float[Array, "m m"]
    apart: bool

    def rise(self, c: Float[Array, "others m"]) -> Float[Array, "pieces groups n"]:
        """d'z."""
        others = c @ self.basis
        scores = jnp.concatenate([others, jnp.zeros_like(others[:1])])
        lead = scores - jnp.sum(jnp.where(self.own, scores, 0.0), axis=0)[None]
        return jnp.stack([jnp.zeros_like(lead), lead]) if self.apart else lead[:, None]

    def felt(self, force: Float[Array, "pieces groups n"]) -> Float[Array, "k m"]:
        """Σ a ⊗ Σ force d: what the coefficients of each class feel of a force on the pieces."""
        pull = force[1] if self.apart else force[:, 0]
        return moments(self.basis, pull - jnp.where(self.own, jnp.sum(pull, axis=0)[None], 0.0)).T

    def cost(self, c: Float[Array, "others m"]) -> Float[Array, ""]:
        """Σ s loss + |P C|²/2."""
        return self.cost_of(self.rise(c) + self.offset, c)

    def cost_of(self, u: Float[Array, "pieces groups n"], c: Float[Array, "others m"]) -> Float[Array, ""]:
        """The same, where the pieces are known."""
        full = _centred(c)
        return self.share @ jnp.sum(jnp.max(u, axis=0), axis=0) + jnp.vdot(full, full @ self.square) / 2

    def rounding(self, c: Float[Array, "others m"]) -> Float[Array, ""]:
        """What is beyond the precision of the cost: scores have a mean square of the size of the coefficients."""
        size = self.share @ jnp.sum(jnp.max(self.offset, axis=0), axis=0) + jnp.sum(jnp.abs(_centred(c)))
        return 4 * jnp.finfo(c.dtype).eps * size

    def penalty(self) -> Float[Array, "size size"]:
        """The curvature of the penalty."""
        k = self.own.shape[0]
        return jnp.kron(jnp.eye(k - 1, dtype=self.square.dtype) - 1 / k, self.square)


def solve(
    design: Design,
    targets: Int[Array, " n"],
    l2: Float[Array, ""],
    factor: Float[Array, ""],
    tolerance: Float[Array, ""],
    max_iterations: Int[Array, ""],
    *,
    classes: int,
    margin: float,
    apart: bool,
) -> Outcome:
    """Minimise Σ s factor loss + l2/2 |W|² to a duality gap of `tolerance` times the cost.

    `margin` is what the labelled class must lead by, and each rival counts for itself if they are `apart`.
    """
    # In units of the factor, in which the loss alone is of the size that is expected.
    l2, square = l2 / factor, design.penalty.T @ design.penalty / factor
    problem, commonest = _problem(design, square, targets, classes, margin, apart)
    course = Course(
        cost=lambda path: problem.cost_of(path.u, path.c),
        shortfall=lambda path: _balance(problem, path.c, path.room),
        newton=functools.partial(_newton, problem),
        penalised=l2 > 0,
        attempts=4,
    )
    ended = follow(course, _start(problem), tolerance, max_iterations)
    c, least, determined = _vertex(problem, ended.path)
    if design.constants:
        c = _no_further(problem, design, c)
    full = _centred(c)
    bound = _lower_bound(problem, design, l2, ended.path.room, full)
    found = Found(full, least, bound, determined, jnp.ones_like(least), ended.iterations)
    params = design.decode(jnp.roll(full, commonest + 1, axis=0).T)
    outcome = found.outcome(params, problem.rounding(c), design.deficient, tolerance, max_iterations)
    return outcome._replace(gap=factor * outcome.gap, cost=factor * least)


def _problem(
    design: Design, square: Array, targets: Array, classes: int, margin: float, apart: bool
) -> tuple[_Problem, Array]:
    """The problem, and which class is the commonest."""
    share, numbers = design.share, jnp.arange(classes, dtype=targets.dtype)[:, None]
    of_class = targets[None] == numbers
    commonest = jnp.argmax(jnp.sum(jnp.where(of_class, share[None], 0.0), axis=1))
    own = jnp.roll(of_class, -1 - commonest, axis=0)
    used = share > 0
    lead = jnp.where(own | ~used[None], 0.0, jnp.asarray(margin, share.dtype))
    offset = jnp.stack([jnp.zeros_like(lead), lead]) if apart else lead[:, None]
    share = jnp.where(used, share, 1 / share.size)
    return _Problem(design.basis, own, offset, share, square, apart), commonest


def _start(problem: _Problem) -> Path:
    offset, c = problem.offset, jnp.zeros((problem.own.shape[0] - 1, problem.basis.shape[0]), problem.share.dtype)
    room = jnp.broadcast_to(problem.share / offset.shape[0], offset.shape)
    return Path(c, offset, room, jnp.max(offset, axis=0)[None] - offset + _APART)


def _newton(problem: _Problem, path: Path, short: Array) -> Callable[[Array, Path], Path]:
    c, _, room, slack = path
    springs = room / slack
    total, places = jnp.sum(springs, axis=0)[None], jnp.arange(springs.shape[0])[:, None, None]
    strongest = places == jnp.argmax(springs, axis=0)[None]
    solve_normal = normal_solver(_curvature(problem, springs) + problem.penalty())

    def pulled(aim: Array) -> Array:
        """The change of the multipliers, whose sum stays."""
        change = jnp.where(strongest, 0.0, springs * (aim - jnp.sum(springs * aim, axis=0)[None] / total))
        # Of the strongest spring hardly a digit would be right.
        return jnp.where(strongest, -jnp.sum(change, axis=0)[None], change)

    def corrected(product: Array, step: Path) -> Path:
        # What the last step did not aim at. Sums of changes and not changes of sums, for these would round too much.
        more = product / room - slack - (step.slack + slack * (step.room / room))
        change = step.room + pulled(more)
        unmet = short + _balance(problem, step.c, change)
        dc = solve_normal(-unmet.ravel()).reshape(c.shape)
        rise = problem.rise(dc)
        change = step.room + pulled(more + rise)
        return Path(step.c + dc, step.u + rise, change, (product - slack * change) / room - slack)

    return corrected


def _curvature(problem: _Problem, springs: Array) -> Array:
    """Σ a a' ⊗ W for all classes but the last: of each pair of classes the spring between them, for each example."""
    k, m = problem.own.shape[0], problem.basis.shape[0]
    softer = springs / jnp.maximum(jnp.sum(springs, axis=0), jnp.finfo(springs.dtype).tiny)[None]
    if problem.apart:
        one, other = springs[0] * softer[1], problem.own.astype(springs.dtype)
    else:
        one, other = springs[:, 0], softer[:, 0] / 2

    def between(pair: tuple[Array, Array]) -> Array:
        first, second = pair
        return gram(problem.basis, one[first] * other[second] + other[first] * one[second])

    first, second = np.triu_indices(k, 1)
    grams = jax.lax.map(between, (jnp.asarray(first), jnp.asarray(second)))
    ends = jnp.asarray((np.eye(k)[first] - np.eye(k)[second])[:, :-1], grams.dtype)
    return jnp.einsum("pi,pab,pj->iajb", ends, grams, ends).reshape((k - 1) * m, (k - 1) * m)


def _balance(problem: _Problem, c: Array, room: Array) -> Array:
    """P'P C + Σ a ⊗ Σ p d, which is zero for forces that balance the penalty."""
    return (_centred(c) @ problem.square + problem.felt(room))[:-1]


def _vertex(problem: _Problem, path: Path) -> tuple[Array, Array, Array]:
    """The vertex next to the iterate and its cost, unless the iterate, or 0, costs less, and then that.

    There pieces of which the multiplier stays and the slack goes to 0 are equally large. As in `interior_point`, if
    there are several minimisers, the pieces that are so at all of them do not determine one. 0 is the minimiser of the
    perceptron, which steps approach but slowly.
    """
    basis, c = problem.basis, path.c
    active = (path.slack < path.room / jnp.sum(path.room, axis=0)[None]).astype(basis.dtype)
    middle = jnp.sum(active * path.slack, axis=0) / jnp.maximum(jnp.sum(active, axis=0), 1.0)
    crossed = _curvature(problem, active)
    across = normal_solver(crossed)(problem.felt(active * (path.slack - middle[None]))[:-1].ravel()).reshape(c.shape)
    found = jnp.stack([c + across, c, jnp.zeros_like(c)])
    costs = jax.vmap(problem.cost)(found)
    best = jnp.argmin(costs + problem.rounding(c) * jnp.arange(3, dtype=c.dtype))
    return found[best], costs[best], one_minimiser(crossed + problem.penalty(), basis)


def _no_further(problem: _Problem, design: Design, c: Array) -> Array:
    """The coefficients, where the constant of a class that never occurs is not further out than it starts.

    Nothing keeps it from infinity, where it would be charged for in the bound, and round all others away.
    """
    u, counts = problem.rise(c) + problem.offset, design.share[None] > 0
    below = jnp.max(u, axis=0)[None] - u
    behind = below[-1] if problem.apart else below[:, 0]
    spare = jnp.maximum(jnp.min(jnp.where(counts, behind, jnp.inf), axis=1) - _APART, 0.0)
    nearer = jnp.where(jnp.any(problem.own & counts, axis=1), 0.0, spare)[:-1]
    return c.at[:, 0].add(nearer / design.level)


def _lower_bound(problem: _Problem, design: Design, l2: Array, room: Array, full: Array) -> Array:
    force = jnp.maximum(room, 0.0)
    force = force * (problem.share[None] / jnp.sum(force, axis=0))[None]
    felt, first, made = problem.felt(force).T, design.constants, jnp.vdot(force, problem.offset)
    bent, free = absorbed(design, felt, l2) + charge(felt[:first], full, made), charge(felt, full, made)
    paid = jnp.where((l2 > 0) & (bent < free), bent, free)
    return jnp.maximum(made - paid, 0.0)


def _centred(c: Array) -> Array:
    """The coefficients of all classes."""
    full = jnp.concatenate([c, jnp.zeros_like(c[:1])])
    return full - jnp.mean(full, axis=0)[None]
