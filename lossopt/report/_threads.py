"""Independent pieces of an experiment on all cores: most of the waiting is compilation, which leaves Python's lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ._console import Progress


T = TypeVar("T")
R = TypeVar("R")


def side_by_side(fn: Callable[[T], R], items: Iterable[T], progress: Progress, doing: str) -> dict[T, R]:
    """item -> fn(item), in the order of the items; as many at once as there are cores. The first error is raised.

    Args:
        fn: a function that compiles or computes with JAX, without side effects.
        items: hashable, each once.
        progress, doing: as everywhere, told of each item as it is done.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        futures = {item: pool.submit(fn, item) for item in items}
        return {item: futures[item].result() for item in progress(futures, doing)}
