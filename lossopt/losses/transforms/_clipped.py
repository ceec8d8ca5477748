"""A loss that stops growing: no example costs more than a cap."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from .._arguments import like
from .._card import LossCard
from .._kinds import POSITIVE_FINITE
from .._register import claim, claims, derive, has_card, Loss
from ._part import checked, curvature, inherited, part, shell, unclaimed


def _clipped_card(loss: Loss, cap: Any) -> LossCard:
    active = lambda: claim(loss, "supremum") > cap  # noqa: E731
    only_if_idle = lambda field: None if active() else claim(loss, field)  # noqa: E731
    kept = ("efficiency", "noise", "elicits", "proper", "calibrated", "noise_symmetric")
    return unclaimed(
        **shell("clipped", loss),
        formula=rf"\min({claims(loss).formula},\ c)",
        hyperparameters={"cap": POSITIVE_FINITE},
        kinks=lambda: _kinks(loss, cap) if active() else claim(loss, "kinks"),
        lipschitz=lambda: _steepest(loss, cap) if active() else claim(loss, "lipschitz"),
        smoothness=lambda: _sharpest(loss, cap) if active() else claim(loss, "smoothness"),
        least_curvature=lambda: -math.inf if active() else claim(loss, "least_curvature"),
        supremum=lambda: min(cap, claim(loss, "supremum")),
        redescending=lambda: claim(loss, "redescending") or active(),
        tails=lambda: "constant" if active() else claim(loss, "tails"),
        **{field: functools.partial(only_if_idle, field) for field in kept},
        **inherited(loss, "symmetric", "origin", "zero_at_perfect_fit", "non_negative"),
    )


def _edges(loss: Loss, cap: float) -> list[float]:
    """Where the loss reaches its cap: residuals on both sides, or the margin on the side of mistakes."""
    if claims(loss).of_residual:
        return [_edge(lambda size: loss(size, 0.0), cap), -_edge(lambda size: loss(-size, 0.0), cap)]
    return [-_edge(lambda size: loss(-size, 1.0), cap)]


def _edge(along: Any, cap: float) -> float:
    """The number from which on a growing function is above the cap; of a logit it may be negative."""
    low, high = -1e3, 1e3
    while along(high) < cap and high < 1e30:
        low, high = high, 1e3 * high
    if along(0.0) < cap:
        low = max(low, 0.0)
    while (middle := (low + high) / 2) not in (low, high):
        low, high = (middle, high) if along(middle) < cap else (low, middle)
    return high


def _simple(loss: Loss) -> bool:
    convex = (claim(loss, "least_curvature") or 0) >= 0 or claim(loss, "redescending")
    return bool(convex) and claims(loss).task in ("regression", "binary") and claims(loss).prediction != "probability"


def _kinks(loss: Loss, cap: float) -> tuple[float, ...] | None:
    inside = claim(loss, "kinks")
    if inside is None or not _simple(loss):
        return None
    edges = _edges(loss, cap)
    within = [x for x in inside if (abs(x) < max(edges) if claims(loss).of_residual else x > edges[0])]
    return tuple(sorted([*edges, *within]))


def _steepest(loss: Loss, cap: float) -> float | None:
    """A convex loss is steepest where it reaches its cap."""
    if not _simple(loss) or not (claim(loss, "least_curvature") or 0) >= 0:
        return None
    target = 0.0 if claims(loss).of_residual else 1.0
    inside = 1 - 1e-12 if jnp.result_type(float) == np.float64 else 1 - 1e-6
    return max(abs(float(jax.grad(loss)(inside * x, target))) for x in _edges(loss, cap))


def _sharpest(loss: Loss, cap: float) -> float | None:
    largest = claim(loss, "smoothness")
    if largest is None or not claims(loss).of_residual:
        return None
    if math.isinf(largest):
        return math.inf if 0.0 in (claim(loss, "kinks") or ()) else None
    return largest if math.isclose(float(curvature(loss, 0.0)), largest, rel_tol=1e-6) else None


@derive(_clipped_card)
def _clipped(prediction: Any, target: Any, *, loss: Loss, cap: ArrayLike) -> Array:
    value = loss(prediction, target)
    limit = like(cap, value)
    above = value >= limit
    # Beyond the cap the loss is asked where it is small, for its slope may be infinite out there; NaN stays NaN.
    harmless = target if has_card(loss) and claims(loss).of_residual else jnp.zeros_like(prediction)
    near = jnp.where(above, jax.lax.stop_gradient(jnp.asarray(harmless, jnp.result_type(prediction))), prediction)
    return jnp.where(above, limit, loss(near, target))


def clipped(loss: Loss, cap: ArrayLike) -> Loss:
    """A bounded loss: the smaller of the loss and a cap. Examples beyond it have no pull at all.

    Formula: `min(loss, cap)`; where the loss reaches the cap the slope 0 is chosen. The result is not convex.
    `clipped(half_squared_error, c**2 / 2)` is the truncated quadratic.

    Args:
        loss: any loss. cap: in (0, inf), in the unit of the loss; it is the hyperparameter `cap` of the result.

    Raises:
        TypeError: the loss is not a function. ValueError: the cap is out of range.

    Source: Hampel et al. (1986), Robust Statistics, section 2.6.
    """
    return checked(jax.tree_util.Partial(_clipped, loss=part(loss), cap=cap))
