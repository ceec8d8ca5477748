"""Whether all numbers of an array are finite: of a large one in the time that it takes to read it, once."""

import math
import os
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


# From how many numbers on several threads are worth their start.
_LARGE = 2**20
# Platforms whose arrays numpy reads where they are.
_HERE = ("cpu",)
# Large arrays of JAX's that were found finite, by identity: they do not change, and many losses are tried on one table.
_FOUND: weakref.WeakValueDictionary[int, jax.Array] = weakref.WeakValueDictionary()


def finite(values: jax.Array) -> bool:
    """Whether all are, as the devices that hold them find; also inside someone's jit."""
    with jax.ensure_compile_time_eval():
        return bool(jnp.all(jnp.isfinite(values)))


def finite_afar(values: Any) -> bool:
    """Whether these are many floats on an accelerator, and all finite: to bring them here takes longer than a fit."""
    if not isinstance(values, jax.Array) or isinstance(values, jax.core.Tracer) or values.size < _LARGE:
        return False
    kept = jnp.issubdtype(values.dtype, jnp.floating) and values.dtype == jax.dtypes.canonicalize_dtype(values.dtype)
    return kept and all(device.platform not in _HERE for device in values.devices()) and finite(values)


def surely_finite(values: np.ndarray, given: Any) -> bool:
    """Whether all are, by their sum, in a tenth of the time of looking at each; `given` is what they were made from."""
    if values.size < _LARGE:
        return math.isfinite(_total(values))
    lasting = isinstance(given, jax.Array) and given.dtype == values.dtype
    if lasting and _FOUND.get(id(given)) is given:
        return True
    # One thread does not read as fast as memory gives.
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as threads:
        found = all(map(math.isfinite, threads.map(_total, np.array_split(values, workers))))
    if found and lasting:
        _FOUND[id(given)] = given
    return found


def _total(part: np.ndarray) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(part))
