"""A convex loss with its kinks rounded off: its Moreau envelope."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from .._arguments import floats, like, Scalar
from .._card import LossCard
from .._kinds import POSITIVE_FINITE
from .._register import claim, claims, derive, has_card, label, Loss
from ._part import checked, inherited, part, shell, unclaimed


def _smoothed_card(loss: Loss, bandwidth: Any) -> LossCard:
    bends = lambda value: None if value is None else 1 / (bandwidth + 1 / value if value else math.inf)  # noqa: E731

    def origin() -> float | None:
        power = claim(loss, "origin")
        return 2 if power in (1, 2) else None

    return unclaimed(
        **shell("smoothed", loss),
        formula=rf"\min_q \left({claims(loss).formula}\right)(q) + \tfrac{{1}}{{2h}} (q - \hat y)^2",
        hyperparameters={"bandwidth": POSITIVE_FINITE},
        kinks=(),
        smoothness=lambda: bends(claim(loss, "smoothness")),
        least_curvature=lambda: bends(claim(loss, "least_curvature")),
        redescending=False,
        origin=origin,
        **inherited(
            loss, "lipschitz", "supremum", "symmetric", "tails", "zero_at_perfect_fit", "calibrated", "non_negative"
        ),
    )


@derive(_smoothed_card)
def _smoothed(prediction: Scalar, target: Scalar, *, loss: Loss, bandwidth: ArrayLike) -> Array:
    (given,) = floats(prediction)
    far = jnp.isinf(given)
    p = jnp.where(far, jnp.zeros_like(given), given)
    h = like(bandwidth, p)
    q = _proximal(p, target, loss, h)
    # Of q only its difference from p counts, so its square is written with that difference. Infinitely far out the
    # envelope is as far up as the loss.
    return loss(jnp.where(far, given, q), target) + jnp.where(far, jnp.zeros_like(p), (p - q) * ((p - q) / h) / 2)


def _proximal(p: Array, target: Any, loss: Loss, h: Array) -> Array:
    """The q that minimises loss(q) + (q - p)**2 / (2 h): the root of q + h slope(q) = p, which rises with q.

    Found by bisection, and then differentiated as one step of Newton's method from there, whose length is 0. At a kink
    q does not move with p.
    """
    fixed = jax.tree.map(jax.lax.stop_gradient, loss)
    start, at_kink = _root(jax.lax.stop_gradient(p), target, fixed, jax.lax.stop_gradient(h))
    rise = 1 + jax.lax.stop_gradient(h) * jax.grad(jax.grad(fixed))(start, target)
    gap = start + h * jax.grad(loss)(start, target) - p
    step = (gap - jax.lax.stop_gradient(gap)) / jnp.where(at_kink, 1.0, rise)
    return start - jnp.where(at_kink, 0.0, step)


def _root(p: Array, target: Any, loss: Loss, h: Array) -> tuple[Array, Array]:
    """The root, and whether it is a kink, where the slope jumps over what would make the equation true."""
    q = _bisected(p, target, loss, h)
    slope, bend = jax.grad(loss)(q, target), jax.grad(jax.grad(loss))(q, target)
    rounding = 64 * jnp.finfo(p.dtype).eps
    size = jnp.abs(q) + jnp.abs(p) + h * jnp.abs(slope)
    at_kink = jnp.abs(q + h * slope - p) > rounding * (1 + h * bend) * size
    if not (has_card(loss) and claims(loss).of_residual):
        return q, at_kink
    # Bisection stops beside a kink at a perfect fit, whose own place is known; and started there it sees no kink.
    perfect = jnp.asarray(target, p.dtype)
    beside = rounding * (jnp.abs(p - perfect) + h)
    jump = jax.grad(loss)(perfect + beside, target) - jax.grad(loss)(perfect - beside, target)
    here = (at_kink | (p == perfect)) & (jnp.abs(q - perfect) < beside)
    return jnp.where(here, perfect, q), jnp.where(here, h * jump > 8 * beside * (1 + h * bend), at_kink)


def _bisected(p: Array, target: Any, loss: Loss, h: Array) -> Array:
    """By halving first the order of magnitude of the distance from p or, if that is nearer, from 0; then the rest.

    A steep loss makes the one far larger than q, and far out the other says nothing of p - q.
    """
    info = jnp.finfo(p.dtype)
    slope = jax.grad(loss)

    def excess(q: Array) -> Array:
        return q + h * slope(q, target) - p

    # The slope at the root lies between 0 and that at p.
    width = jnp.clip(h * slope(p, target), -info.max / 4, info.max / 4)
    near = jnp.sign(p) * excess(p / 2) <= 0
    farthest = jnp.minimum(jnp.abs(p) + jnp.abs(width), info.max)
    way = jnp.where(near, -width, jnp.where(excess(jnp.zeros_like(p)) < 0, farthest, -farthest))

    def beyond(q: Array) -> Array:
        return jnp.where(way > 0, excess(q) >= 0, excess(q) <= 0)

    def at(power: Array) -> Array:
        return jnp.where(near, p, 0.0) + way * jnp.exp2(-power)

    digits = int(info.maxexp + info.nmant).bit_length()

    def refine(i: Any, power: Array) -> Array:
        # By the binary digits of the power, from the first on.
        trial = power + jnp.exp2(jnp.asarray(digits - 1 - i, p.dtype))
        return jnp.where(beyond(at(trial)), trial, power)

    power = jax.lax.fori_loop(0, digits, refine, jnp.zeros_like(p))
    ends = at(power), at(power + 1)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = ends[0] / 2 + ends[1] / 2
        outside = beyond(middle)
        return jnp.where(outside, middle, ends[0]), jnp.where(outside, ends[1], middle)

    outer, inner = jax.lax.fori_loop(0, info.nmant + 2, halve, ends)
    middle = outer / 2 + inner / 2
    return jnp.where(jnp.isnan(p), p, middle)


def smoothed(loss: Loss, bandwidth: ArrayLike) -> Loss:
    """A convex loss of one number without its kinks: its Moreau envelope.

    Formula: `min over q of loss(q) + (q - prediction)**2 / (2 bandwidth)`. `smoothed(absolute_error, h)` is
    `huber(delta=h) / h`; `smoothed(hinge, h)` is the smoothed hinge. One example has the same minimisers as before,
    and a curvature of at most `1 / bandwidth`. The q is found by bisection for every example: where a loss has a closed
    form of its own, that is faster.

    Args:
        loss: convex, of one number; registered or your own.
        bandwidth: in (0, inf), in the unit of the squared prediction over that of the loss; it is the hyperparameter
            `bandwidth` of the result.

    Raises:
        TypeError: the loss is not a function.
        ValueError: its card says that it is of a vector or a probability, or not convex; the bandwidth is out of range.

    Source: Moreau (1965), Bulletin de la Société mathématique de France 93; Beck and Teboulle (2012), SIAM Journal on
    Optimization 22, section 4.
    """
    inside = part(loss)
    if has_card(inside):
        card = claims(inside)
        if card.prediction_ndim or card.prediction == "probability":
            raise ValueError(f"smoothed is for losses of a real score, and {card.name} is of {card.prediction}.")
        _require_convex(inside)
    return checked(jax.tree_util.Partial(_smoothed, loss=inside, bandwidth=bandwidth))


def _require_convex(loss: Loss) -> None:
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(loss)):
        return
    least = claim(loss, "least_curvature")
    if least is not None and least < 0:
        raise ValueError(f"smoothed is for convex losses, and {label(loss)} is not convex at these settings.")
