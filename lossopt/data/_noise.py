"""Noise laws: functions `law(key, shape, dtype)` that draw independent errors about 0. Any such function is a law.

None is rescaled to unit variance: each has its textbook scale, which its docstring states.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float, PRNGKeyArray

from ._dataset import known, Scalar


NoiseLaw = Callable[[PRNGKeyArray, tuple[int, ...], DTypeLike], Float[Array, "..."]]


def gaussian(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike) -> Float[Array, "..."]:
    """The standard normal law: mean, median and mode 0, variance 1, mean absolute value `sqrt(2/pi)` = 0.798."""
    return jax.random.normal(key, shape, dtype)


def laplace(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike) -> Float[Array, "..."]:
    """The double exponential law, density `exp(-|x|)/2`: mean and median 0, variance 2, mean absolute value 1."""
    return jax.random.laplace(key, shape, dtype)


def student(df: Scalar) -> NoiseLaw:
    """Student's t law with `df` degrees of freedom and scale 1: median 0; variance `df/(df-2)`, infinite for `df <= 2`.

    `df = 1` is the Cauchy law, which has no mean. `df` may be traced; one that is not must be positive (`ValueError`).
    """
    if (value := known("df", df)) is not None and not value > 0:
        raise ValueError(f"df must be positive but is {df}.")
    return jax.tree_util.Partial(_student, df)


def _student(df: Scalar, key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike) -> Array:
    return jax.random.t(key, jnp.asarray(df, dtype), shape, dtype)


def skewed(key: PRNGKeyArray, shape: tuple[int, ...], dtype: DTypeLike) -> Float[Array, "..."]:
    """The exponential law of rate 1, less its mean: mean 0, variance 1, skewness 2, never below -1.

    Quantile at level p: `-1 - log(1 - p)`; so median `log(2) - 1` = -0.307, and the mode is -1. Mean, median and
    mode differ, and a loss shows by where its fit comes to rest which of them it asks for.
    """
    return jax.random.exponential(key, shape, dtype) - 1
