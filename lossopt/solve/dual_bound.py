"""The certificate of a piecewise-linear cost: any force that satisfies the dual's constraints bounds the minimum below.

An iterate's force α satisfies them up to rounding. It is made to satisfy them exactly, in one of two ways.

Without a penalty A'α must be 0: what the basis sees of α is taken out, α - R A (A'R A)⁻¹ A'α, where R is the room that
each force has in its box -s down ≤ α ≤ s up: those at a bound, which have none, stay there. The whole is shrunk towards
0, which lies inside, until it fits again. The bound is t'α.

With a penalty the weights absorb any force and only the bias must see none: the stronger of the two signs is scaled
down. The bound is t'α less |X'α|²/(2 l2), the most that the weights w = X'α/l2 can make of it.

For a margin 0 is a corner of the box (down = 0) and shrinking may leave nothing. There, without a penalty, the force
is scaled as with one.

What A still sees of the force is charged for: t'α - r |A'α| bounds the cost within the distance r of the origin, with
r twice the size of the solution. Where that is much, the bound is 0.
"""

import functools

import jax.numpy as jnp
from jaxtyping import Array, Float

from ._design import Design
from ._piecewise import Lines, Problem


# What may be charged for, beside the work of the force, in roots of the precision.
_LITTLE = 64.0


def lower_bound(
    problem: Problem,
    design: Design,
    l2: Float[Array, ""],
    force: Float[Array, " n"],
    c: Float[Array, " m"],
    seen: Float[Array, " m"] | None,
) -> Float[Array, ""]:
    """A number that the cost, in the problem's unit, is nowhere below.

    `seen` is (A'R A)⁻¹ A'α in the coefficients; None where 0 is no inner point of the box.
    """
    basis, work = problem.basis, functools.partial(_work, problem.lines)
    penalised, first = l2 > 0, design.constants
    balanced = _balanced(basis[0] * force, force) if first else force
    felt = basis @ balanced
    lifted = felt[first:] @ problem.centre[first:] - absorbed(design, felt, l2)
    made = work(balanced)
    fitting = balanced if seen is None else _shrunk(problem, force, seen)
    free = work(fitting) - charge(basis @ fitting, c, work(fitting))
    # What holds without a penalty holds with one, and is better where that is lost in rounding.
    bent = made + lifted / problem.unit
    return jnp.maximum(jnp.where(penalised & (bent > free), bent, free), 0.0)


def absorbed(design: Design, felt: Float[Array, " m *k"], l2: Float[Array, ""]) -> Float[Array, ""]:
    """|X'α|²/(2 l2): what the weights can make of a force of which the basis feels `felt`, if there is a penalty."""
    return jnp.sum((design.spread @ felt[design.constants :]) ** 2) / jnp.where(l2 > 0, 2 * l2, 1.0)


def charge(felt: Float[Array, "*felt"], c: Float[Array, "*coefficients"], made: Float[Array, ""]) -> Float[Array, ""]:
    """The most that coefficients twice the size of `c` can make of it; of more than rounding, beside what the force has
    `made`, those further out might make anything."""
    most = 2 * (1 + jnp.max(jnp.abs(c))) * jnp.sum(jnp.abs(felt))
    return jnp.where(most <= _LITTLE * jnp.finfo(most.dtype).eps ** 0.5 * jnp.abs(made), most, jnp.inf)


def _work(lines: Lines, force: Float[Array, " n"]) -> Float[Array, ""]:
    """t'α, where the terms of an example, from the least t to the largest, share its force as makes the most of it."""
    last = len(lines.target) - 1
    if last == 0:
        return lines.target[0] @ force
    left, total = force + jnp.sum(lines.down, axis=0), jnp.zeros_like(force)
    for term in range(last, -1, -1):
        taken = jnp.minimum(left, lines.up[term] + lines.down[term]) if term else left
        left, total = left - taken, total + lines.target[term] * (taken - lines.down[term])
    return jnp.sum(total)


def _shrunk(problem: Problem, force: Array, seen: Array) -> Array:
    up, down = jnp.sum(problem.lines.up, axis=0), jnp.sum(problem.lines.down, axis=0)
    unseen = force - spare(problem, force) * (seen @ problem.basis)
    return unseen / jnp.maximum(jnp.max(jnp.abs(unseen) / jnp.where(unseen > 0, up, down)), 1.0)


def _balanced(seen: Array, force: Array) -> Array:
    """The force scaled so that what the bias sees of it has the sum zero."""
    up, down = jnp.sum(jnp.maximum(seen, 0.0)), jnp.sum(jnp.maximum(-seen, 0.0))
    own = jnp.where(seen > 0, up, down)
    least = jnp.minimum(up, down)
    return jnp.where(own > least, force * (least / jnp.where(own > 0, own, 1.0)), force)


def spare(problem: Problem, force: Float[Array, " n"]) -> Float[Array, " n"]:
    """By how much a force may change within its box, up to a factor of 2; 0 where it does not count."""
    down, up = jnp.sum(problem.lines.down, axis=0) + force, jnp.sum(problem.lines.up, axis=0) - force
    return jnp.where((problem.share > 0) & (down > 0) & (up > 0), down * up / (down + up), 0.0)
