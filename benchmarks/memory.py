"""How much memory does a solve take beside its data?

`python -m benchmarks.memory [--rows 1000000] [--columns 20]` solves a table twice for each of some losses. Of the
second time, for which nothing is compiled, it prints how far the memory of the process rose, in MiB and as a share of
the features and targets. It needs Linux and the GNU C library.
"""

import argparse
import ctypes
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from benchmarks.contests._tables import binary
from lossopt import losses, models
from lossopt.data import Dataset
from lossopt.solve import solve


# Seconds between two looks.
PERIOD = 1e-3
# An array of more bytes than this is taken from the system, and given back as soon as it is free: what the process has
# is what it uses. The number of that setting.
LARGE, MMAP_THRESHOLD = 2**16, -3


def anonymous() -> float:
    """MiB that the process has and no file backs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def risen(run: Callable[[], Any]) -> float:
    """MiB by which the memory rises, at most, while it runs."""
    gc.collect()
    before, over, seen = anonymous(), threading.Event(), [0.0]

    def watch() -> None:
        while not over.wait(PERIOD):
            seen.append(anonymous())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        jax.block_until_ready(run())
    finally:
        over.set()
        watcher.join()
    return max(seen) - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    options = parser.parse_args()
    ctypes.CDLL("libc.so.6").mallopt(MMAP_THRESHOLD, LARGE)
    jax.config.update("jax_enable_x64", True)
    (x,), (y,) = binary(1, options.rows, options.columns)
    noise = np.random.default_rng(1).standard_t(3, size=options.rows)
    features, labels, real = jax.device_put((x, y, x @ np.linspace(-1, 1, options.columns) + noise))
    del x
    print(f"{options.rows} x {options.columns}, float64, {(features.nbytes + real.nbytes) / 2**20:.0f} MiB")
    for loss in (losses.squared_error, losses.huber, losses.quantile, losses.logistic, losses.hinge):
        classes = losses.claims(loss).task == "binary"
        data = Dataset(features, labels if classes else real)
        model = models.logistic if classes else models.linear
        run = lambda loss=loss, data=data, model=model: solve(loss, data, model=model)  # noqa: E731
        jax.block_until_ready(run())
        extra = risen(run)
        print(f"{losses.label(loss):16}{extra:8.1f} MiB{100 * extra * 2**20 / (features.nbytes + real.nbytes):8.1f} %")


if __name__ == "__main__":
    main()
