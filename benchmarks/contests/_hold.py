"""Holding a contest: everybody's time, interleaved, and everybody's objective, computed here from the coefficients."""

import inspect
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from benchmarks._timing import seconds

from ._contest import Contest, SAMPLE


# A peer whose first run takes so many seconds is not run again.
PATIENCE = 60.0


class Beside(NamedTuple):
    """A peer: seconds a fit, how far its objective lies above the better of the two, relatively, and how far ours."""

    seconds: float
    behind: float
    ours_behind: float


class Held(NamedTuple):
    """The result of a contest: our seconds a fit, those of compiling, and what each peer did."""

    seconds: float
    compilation: float
    peers: Mapping[str, Beside]


def hold(contest: Contest, repeats: int) -> Held:
    """Run everybody, the first time to warm up and to see the coefficients."""
    # Contests of the same shape would have compiled for each other.
    jax.clear_caches()
    coefficients, first = _timed(lambda: np.asarray(jax.block_until_ready(contest.ours())))
    sample = range(min(contest.fits, SAMPLE))
    runs = {peer: lambda fit=fit: [fit(i) for i in sample] for peer, fit in contest.peers.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tried = {peer: _timed(run) for peer, run in runs.items()}
        again = {peer: run for peer, run in runs.items() if tried[peer][1] <= PATIENCE}
        taken = seconds({"lossopt": contest.ours, **again}, repeats=repeats, warm=True)
    ours = taken["lossopt"]
    peers = {
        peer: Beside(taken.get(peer, once) / len(sample), *_behind(contest, found, coefficients))
        for peer, (found, once) in tried.items()
    }
    return Held(ours / contest.fits, max(first - ours, 0.0), peers)


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return run(), time.perf_counter() - start


def _behind(contest: Contest, theirs: Any, ours: Any) -> list[float]:
    values = np.array([[contest.objective(found[i], i) for found in (theirs, ours)] for i in range(len(theirs))])
    best = values.min(axis=1, keepdims=True)
    return ((values - best) / best).max(axis=0).tolist()


def scaled(contest: Callable[..., Contest], scale: float) -> Contest:
    """A contest of so many times its fits or, where there is one fit, its rows: at least ten a column."""
    sizes = {name: parameter.default for name, parameter in inspect.signature(contest).parameters.items()}
    if "fits" in sizes:
        return contest(fits=max(2, round(scale * sizes["fits"])))
    return contest(rows=max(10 * sizes["columns"], round(scale * sizes["rows"])))
