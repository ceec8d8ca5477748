"""lossopt itself: one more library, under the same tests."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lossopt as lo
from benchmarks.truth import CASES, everything, Orders
from lossopt import losses

from ._version import Settings, Version


def _ours(name: str) -> Version:
    fn = losses.get(name)

    def bound(given: Settings) -> jax.tree_util.Partial:
        return lo.bind(fn, **{key: np.array(x) if isinstance(x, list) else x for key, x in given.items()})

    def call(p: Any, t: Any, /, **given: Any) -> jax.Array:
        return lo.per_example(bound(given))(jnp.asarray(p), jnp.asarray(t))

    def orders(given: Settings, predictions: np.ndarray, targets: np.ndarray) -> Orders:
        return everything(bound(given), predictions, targets)._replace(forward=None, other_curvature=None)

    return Version(name, f"lossopt.losses.{name}", call, orders)


VERSIONS = [_ours(name) for name in losses.names() if any(case.name == name for case in CASES)]
