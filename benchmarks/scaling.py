"""How does the time of an exact fit grow with rows, columns and the number of fits, ours and the best peers'?

`python -m benchmarks.scaling [--out results/scaling] [--scale 1]` draws a figure for each (PNG and SVG) and writes the
numbers beside it (CSV). Of many fits a peer runs a sample, and its time is that of all at the same pace. A peer that
would take longer than `--limit` seconds for a point ends at the point before.
"""

import argparse
import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from matplotlib.figure import Figure

from benchmarks.contests import Contest, hold, SAMPLE
from benchmarks.contests.classification import logistic_many
from benchmarks.contests.quantiles import lad_many
from benchmarks.contests.robust import huber_many
from lossopt import plots


OURS = "lossopt"


class Problem(NamedTuple):
    """A contest of any size, and the short names of those of its peers that are drawn."""

    contest: Callable[[int, int, int], Contest]
    peers: dict[str, str]


PROBLEMS = {
    "logistic": Problem(
        logistic_many,
        {
            "scikit-learn LogisticRegression(newton-cholesky)": "newton-cholesky",
            "scikit-learn LogisticRegression(lbfgs)": "lbfgs",
        },
    ),
    "huber": Problem(huber_many, {"scikit-learn HuberRegressor": "HuberRegressor"}),
    "least absolute deviations": Problem(lad_many, {"statsmodels QuantReg": "QuantReg"}),
}


class Series(NamedTuple):
    """The sizes (fits, rows, columns) along an axis, of which one grows."""

    label: str
    axis: int
    sizes: Sequence[tuple[int, int, int]]


def series(scale: float) -> dict[str, Series]:
    """The three figures, with the largest number of rows and of fits times `scale`."""
    rows = _decades(1e3, scale * 1e6)
    fits = _decades(1, scale * 1e4)
    long = max(2000, round(scale * 20_000))
    return {
        "rows": Series("rows (20 columns)", 1, [(1, n, 20) for n in rows]),
        "columns": Series(f"columns ({long:,} rows)", 2, [(1, long, d) for d in (5, 10, 20, 50, 100, 200)]),
        "fits": Series("fits (200 × 6 each)", 0, [(n, 200, 6) for n in fits]),
    }


def _decades(least: float, most: float) -> list[int]:
    count = max(2, round(2 * np.log10(most / least)) + 1)
    return [round(float(f"{value:.1g}")) for value in np.geomspace(least, max(most, 2 * least), count)]


def measure(name: str, problem: Problem, along: Series, repeats: int, limit: float) -> Iterator[dict[str, Any]]:
    """A row a point and solver: seconds of all fits, of compilation, and how far behind the better."""
    running = set(problem.peers)
    for size, after in zip(along.sizes, [*along.sizes[1:], along.sizes[-1]], strict=True):
        print(f"{name}: {size[along.axis]:,} {along.label}", file=sys.stderr)
        contest = problem.contest(*size)
        held = hold(contest._replace(peers={peer: contest.peers[peer] for peer in running}), repeats)
        where = {"problem": name, "size": size[along.axis], "fits": size[0], "rows": size[1], "columns": size[2]}
        yield where | {"solver": OURS, "seconds": held.seconds * size[0], "compilation": held.compilation}
        for peer, found in held.peers.items():
            yield where | {
                "solver": problem.peers[peer],
                "seconds": found.seconds * size[0],
                "behind": found.behind,
                "ours behind": found.ours_behind,
            }
            if found.seconds * min(size[0], SAMPLE) * _work(after) / _work(size) > limit:
                running.discard(peer)


def _work(size: tuple[int, int, int]) -> float:
    """What a peer does, up to a factor: it fits a sample, and sums products of columns."""
    fits, rows, columns = size
    return float(min(fits, SAMPLE)) * rows * columns**2


def draw(rows: Sequence[dict[str, Any]], label: str) -> Figure:
    """Seconds against size, a panel a problem, and the seconds of compilation as a thin line."""
    curves: dict[str, dict[str, plots.Curve]] = {}
    compiling: dict[str, dict[str, plots.Curve]] = {}
    for problem in dict.fromkeys(row["problem"] for row in rows):
        of_problem = [row for row in rows if row["problem"] == problem]
        solvers = dict.fromkeys(row["solver"] for row in of_problem)
        curves[problem] = {solver: _curve(of_problem, solver, "seconds") for solver in solvers}
        compiling[problem] = {"compiling, once": _curve(of_problem, OURS, "compilation")}
    return plots.curve(
        curves,
        reference=compiling,
        xlabel=f"number of {label}",
        ylabel="time (seconds)",
        xscale="log",
        yscale="log",
    )


def _curve(rows: Sequence[dict[str, Any]], solver: str, value: str) -> plots.Curve:
    points = [(row["size"], row[value]) for row in rows if row["solver"] == solver]
    return plots.Curve(*zip(*points, strict=True))


def write(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """The rows as CSV, with empty cells for what a solver has not."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Measure, draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", choices=["rows", "columns", "fits", []], help="all if none is given")
    parser.add_argument("--out", type=Path, default=Path("results/scaling"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=20.0, help="seconds that a peer may take for a point")
    parser.add_argument("--scale", type=float, default=1.0, help="times the largest rows and fits: 0.01 to try")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    options.out.mkdir(parents=True, exist_ok=True)
    for figure, along in series(options.scale).items():
        if figure not in (options.figures or series(1.0)):
            continue
        rows = [
            row
            for name, problem in PROBLEMS.items()
            for row in measure(name, problem, along, options.repeats, options.limit)
        ]
        write(rows, options.out / f"{figure}.csv")
        for suffix in ("png", "svg"):
            print(plots.save(draw(rows, along.label), options.out / f"{figure}.{suffix}"))


if __name__ == "__main__":
    main()
