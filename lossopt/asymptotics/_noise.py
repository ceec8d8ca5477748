"""Laws of noise by the logarithm of their density, up to a constant: functions of one residual.

Minus a loss is such a law too, where its exponential has a finite integral: that of which the loss is the likelihood.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from .. import losses


LogDensity = Callable[[Float[Array, ""]], Float[Array, ""]]


def gaussian(residual: losses.Scalar) -> Float[Array, ""]:
    """The standard normal law."""
    return -losses.half_squared_error(residual, jnp.zeros_like(residual))


def laplace(residual: losses.Scalar) -> Float[Array, ""]:
    """The double exponential law of scale 1, whose variance is 2."""
    return -losses.absolute_error(residual, jnp.zeros_like(residual))


def logistic(residual: losses.Scalar) -> Float[Array, ""]:
    """The logistic law of scale 1, whose variance is π²/3."""
    return -2 * losses.log_cosh(residual / 2, jnp.zeros_like(residual))


def student(df: ArrayLike) -> LogDensity:
    """Student's t law with `df` degrees of freedom and scale 1; `df = 1` is the Cauchy law.

    Raises:
        ValueError: `df` is not positive.
    """
    _check("df", df, "positive", lambda value: value > 0)
    return jax.tree_util.Partial(_student, df)


def _student(df: ArrayLike, residual: Array) -> Array:
    c = jnp.sqrt(jnp.asarray(df, residual.dtype))
    return -(1 + 1 / c**2) * losses.cauchy(residual, jnp.zeros_like(residual), c=c)


def contaminated(fraction: ArrayLike, scale: ArrayLike = 3.0) -> LogDensity:
    """Tukey's gross-error law: standard normal, but with probability `fraction` normal with `scale` times the width.

    Raises:
        ValueError: a fraction outside [0, 1], or a scale that is not positive.
    """
    _check("fraction", fraction, "in [0, 1]", lambda value: 0 <= value <= 1)
    _check("scale", scale, "positive", lambda value: value > 0)
    return jax.tree_util.Partial(_contaminated, fraction, scale)


def _contaminated(fraction: ArrayLike, scale: ArrayLike, residual: Array) -> Array:
    fraction, scale = jnp.asarray(fraction, residual.dtype), jnp.asarray(scale, residual.dtype)
    good = jnp.log1p(-fraction) + gaussian(residual)
    return jnp.logaddexp(good, jnp.log(fraction / scale) + gaussian(residual / scale))


def check(noise: LogDensity) -> None:
    """Raise ValueError unless the law is a function of one residual that gives one number."""
    if not callable(noise):
        raise ValueError(f"noise={noise!r} is no law: pass a function, as lossopt.asymptotics.gaussian.")
    found = jax.eval_shape(noise, jax.ShapeDtypeStruct((), jnp.result_type(float)))
    if getattr(found, "shape", None) != ():
        name = getattr(noise, "__name__", repr(noise))
        raise ValueError(f"noise={name} does not give a number for a residual: call it first, as in student(3.0).")


def _check(name: str, value: ArrayLike, domain: str, legal: Callable[[float], bool]) -> None:
    if isinstance(value, jax.core.Tracer):
        return
    try:
        right = np.asarray(value).dtype.kind in "biuf" and legal(np.asarray(value).item())
    except (TypeError, ValueError):
        right = False
    if not right:
        raise ValueError(f"{name}={value!r}: give a number that is {domain}.")
