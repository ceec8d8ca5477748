"""The tuning constant of a robust loss from the efficiency that it shall have when nothing is wrong with the data."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .. import losses
from ._noise import gaussian, LogDensity
from ._variance import check, efficiency_at, moments


# What the thresholds of losses are called: every loss has at most one of these, in the unit of the residual.
THRESHOLDS = ("delta", "c", "scale")

# Thresholds between which the root is sought, in units of the scale of the noise, as logarithms.
_LOW, _HIGH = -7.0, 7.0


def tune(
    loss: losses.Loss,
    efficiency: ArrayLike = 0.95,
    *,
    hyperparameter: str | None = None,
    noise: LogDensity = gaussian,
) -> Float[Array, ""]:
    """The threshold at which a robust loss has a given efficiency at noise of unit scale: 1.345 for huber, 4.685 tukey.

    `lo.bind(losses.huber, delta=lo.tune(losses.huber) * lo.scale.mad(residuals))` is huber with 95 % efficiency for
    noise of the scale found. The root of `efficiency` in the logarithm of the threshold, by bisection down to the
    rounding of the default float. May be jitted and vmapped over `efficiency` and other hyperparameters, which compiles
    once.

    Args:
        loss: symmetric, of a residual; registered or your own; other hyperparameters bound.
        efficiency: at the noise given, between 0 and 1.
        hyperparameter: the name of the threshold; None finds `delta`, `c` or `scale` in the loss's signature.
        noise: as in `asymptotic_variance`.

    Returns:
        the threshold, in units of the scale of the noise; under a trace NaN where no threshold attains the efficiency.

    Raises:
        ValueError: the loss has no such hyperparameter, or no threshold attains the efficiency between 1e-3 and
            1e3 times the scale of the noise, that is one over the root of its information.
    """
    check(loss)
    name = _threshold(loss) if hyperparameter is None else _known(loss, hyperparameter)
    target = jnp.asarray(efficiency, jnp.result_type(float))
    unit = moments(losses.absolute_error, noise)[2] ** -0.5
    root, least, most = _root(jax.tree_util.Partial(loss), name, target, jax.tree_util.Partial(noise), unit)
    if not isinstance(root, jax.core.Tracer) and jnp.isnan(root):
        raise ValueError(
            f"{losses.label(loss)} has efficiencies from {least:.4g} to {most:.4g} for {name} in [1e-3, 1e3] "
            f"times {float(unit):.4g}, the scale of the noise, but efficiency={efficiency}: choose one between."
        )
    return root


@functools.partial(jax.jit, static_argnames="name")
def _root(loss: losses.Loss, name: str, target: Array, noise: LogDensity, unit: Array) -> tuple[Array, Array, Array]:
    at = lambda log: efficiency_at(unit * jnp.exp(log), loss, name, noise)  # noqa: E731
    steps = jnp.finfo(target.dtype).nmant + 4  # Until the bracket, 14 wide at first, is one rounding of the root.
    ends = jnp.array([_LOW, _HIGH], target.dtype)
    first, last = jax.lax.map(at, ends)
    rises = first < last

    def halve(_: Any, bracket: Array) -> Array:
        middle = jnp.mean(bracket)
        below = (at(middle) < target) == rises
        return jnp.where(below, jnp.stack([middle, bracket[1]]), jnp.stack([bracket[0], middle]))

    root = unit * jnp.exp(jnp.mean(jax.lax.fori_loop(0, steps, halve, ends)))
    least, most = jnp.minimum(first, last), jnp.maximum(first, last)
    return jnp.where((least < target) & (target < most), root, jnp.nan), least, most


def _threshold(loss: losses.Loss) -> str:
    names = [name for name in THRESHOLDS if name in losses.keywords(loss)]
    if not names:
        raise ValueError(
            f"{losses.label(loss)} has no hyperparameter called {' or '.join(THRESHOLDS)}: say which one with "
            "hyperparameter=."
        )
    return names[0]


def _known(loss: losses.Loss, name: str) -> str:
    known = losses.keywords(loss)
    if name not in known:
        raise ValueError(
            f"{losses.label(loss)} has no hyperparameter {name!r} (it has: {', '.join(known) or 'none'})."
            f"{losses.nearest(name, known)}"
        )
    return name
