"""Timing two or more functions side by side: interleaved in one process, after warm-up, as ratios of medians."""

import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax


def seconds(functions: Mapping[str, Callable[[], Any]], *, repeats: int = 30) -> dict[str, float]:
    """The median wall time of each function. They take turns, so that a machine that drifts drifts for all."""
    for function in functions.values():
        jax.block_until_ready(function())
    times: dict[str, list[float]] = {name: [] for name in functions}
    turns = list(functions.items())
    for turn in range(repeats):
        # Whoever follows finds other things in the cache: the order changes from turn to turn.
        for name, function in random.Random(turn).sample(turns, len(turns)):
            start = time.perf_counter()
            jax.block_until_ready(function())
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}
