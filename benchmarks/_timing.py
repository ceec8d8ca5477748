"""Timing two or more functions side by side: interleaved in one process, after warm-up, as ratios of medians."""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax


# A turn lasts at least this long: one call of a fraction of a millisecond says more about the machine's memory manager.
LEAST = 5e-3
# A call shorter than this is made once, unmeasured, before those that count: whoever came before has left threads that
# still spin and a cache full of something else.
SETTLED = 1.0


def seconds(functions: Mapping[str, Callable[[], Any]], *, repeats: int = 30, warm: bool = False) -> dict[str, float]:
    """The median wall time of each function. They take turns, so that a machine that drifts drifts for all.

    `warm` says that all have run already.
    """
    for function in () if warm else functions.values():
        jax.block_until_ready(function())
    took = {name: _once(function, 1) for name, function in functions.items()}
    calls = {name: math.ceil(LEAST / each) for name, each in took.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    turns = list(functions.items())
    for turn in range(repeats):
        # Whoever is not settled finds other things in the cache: the order changes from turn to turn.
        for name, function in random.Random(turn).sample(turns, len(turns)):
            if took[name] < SETTLED:
                _once(function, 1)
            times[name].append(_once(function, calls[name]))
    return {name: statistics.median(values) for name, values in times.items()}


def _once(function: Callable[[], Any], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        jax.block_until_ready(function())
    return (time.perf_counter() - start) / calls
