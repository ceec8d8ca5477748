"""How far from the truth is each loss, here and in other libraries, on the grid of extreme inputs of the tests?

`python -m benchmarks.numerics [losses]` prints a table and writes results/benchmarks/numerics: for each loss and each
library that has it, in float32 and float64, the worst relative error of the value, the gradient (by the library's own
differentiation) and the second derivative, beyond what the rounding of the inputs excuses; how often NaN came back
where the mathematics is finite; and what became of illegal targets and of a column against a row. Nothing is timed,
and the same versions give the same bytes. The truth is that of the textbook's formula in extended precision.

A library is compared at the hyperparameters that it has, in its own convention (its factor, the constants that it
leaves out), and where a derivative jumps, any number between the two sides is right. The libraries beyond those of the
tests come with `pip install "lossopt[peers]"`; one that is missing is left out with a word.
"""

import argparse
import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from lossopt import losses, report


DTYPES = (np.float32, np.float64)
ORDERS = {"value": "value", "reverse": "gradient", "curvature": "second derivative"}
PACKAGES = {"sklearn": "scikit-learn"}
Row = Mapping[str, Any]


def run(names: Sequence[str], progress: report.Progress) -> report.Results:
    """Measure every version of the losses of these names."""
    from benchmarks.peers import lossopt_versions, versions

    peers, missing = versions()
    found = [version for version in [*lossopt_versions(), *peers] if version.loss in names]
    found.sort(key=lambda version: names.index(version.loss))
    rows = [row for version in progress(found, "versions of losses") for row in rows_of(version)]
    libraries = list(dict.fromkeys(version.library for version in found))
    used = {name: metadata.version(PACKAGES.get(name, name)) for name in ["jax", "numpy", "mpmath", *libraries[1:]]}
    config = {"versions": used, "missing": missing, "contract": {dtype.__name__: _contract(dtype) for dtype in DTYPES}}
    return report.Results(name="numerics", question=__doc__ or "", rows=rows, claims=claims(rows), config=config)


def rows_of(version: Any) -> list[Row]:
    """One row a dtype: the worst errors of a version and ours at the same points, and its manners."""
    from benchmarks.peers import illegal_accepted, wrong_shapes

    accepted, tried = illegal_accepted(version)
    manners = {"illegal accepted": accepted, "illegal tried": tried, "wrong shapes": wrong_shapes(version)}
    return [
        {
            "loss": version.loss,
            "library": version.library,
            "function": version.function,
            "dtype": dtype.__name__,
            **_errors(version, dtype),
            **manners,
        }
        for dtype in DTYPES
    ]


def _errors(version: Any, dtype: Any) -> Row:
    from benchmarks.peers import lossopt_versions, measured

    theirs = measured(version, dtype)
    own = next(mine for mine in lossopt_versions() if mine.loss == version.loss)
    ours = measured(own._replace(hard=version.hard), dtype, settings_of=version)
    row: dict[str, Any] = {"points": theirs["value"].points}
    for order, name in ORDERS.items():
        row |= {name: theirs[order].error if order in theirs else None}
        row |= {f"lossopt {name}": ours[order].error if order in theirs else None}
    row |= {"nan": sum(worst.nan for worst in theirs.values()), "wrong": sum(worst.wrong for worst in theirs.values())}
    return row | {f"{name} at": theirs[order].at if order in theirs else None for order, name in ORDERS.items()}


def _contract(dtype: Any) -> float:
    from benchmarks.truth import RTOL

    return RTOL[dtype]


def nearer(rows: Iterable[Row]) -> list[Row]:
    """Where a peer's worst error is smaller than ours at the same points."""
    return [
        {
            "loss": row["loss"],
            "function": row["function"],
            "dtype": row["dtype"],
            "order": order,
            "theirs": row[order],
            "ours": row[f"lossopt {order}"],
        }
        for row in rows
        if row["library"] != "lossopt"
        for order in ORDERS.values()
        if row[order] is not None and row[order] < row[f"lossopt {order}"]
    ]


def claims(rows: Sequence[Row]) -> list[report.Claim]:
    """What is claimed of lossopt, measured."""
    own = [row for row in rows if row["library"] == "lossopt"]
    beyond = sum(row[order] > _contract(getattr(np, row["dtype"])) for row in own for order in ORDERS.values())
    worse = [case for case in nearer(rows) if case["ours"] > _contract(getattr(np, case["dtype"]))]
    wanted = {
        "lossopt gives no NaN where the mathematics is finite": sum(row["nan"] for row in own),
        "no worst error of lossopt is beyond 1e-6 in float32 or 1e-14 in float64": beyond,
        "where a peer's worst error is smaller, both are rounding: ours is within the contract": len(worse),
        "no peer's worst error is smaller than ours at all, not even by a rounding": len(nearer(rows)),
        "lossopt takes no illegal target for a legal one": sum(row["illegal accepted"] for row in own),
    }
    source = "the numerics contract of the losses"
    return [report.Claim(statement=text, measured=count, expected=0.0, source=source) for text, count in wanted.items()]


def summary(rows: Iterable[Row]) -> list[dict[str, str]]:
    """One line a version, for people: the three worst errors in each dtype, and the rest."""
    pairs: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        pairs.setdefault((row["loss"], row["function"]), []).append(row)
    return [_line(*both) for both in pairs.values()]


def _line(single: Row, double: Row) -> dict[str, str]:
    tried = single["illegal tried"]
    return {
        "loss": single["loss"],
        "function": single["function"],
        "float32": _three(single),
        "float64": _three(double),
        "NaN": str(single["nan"] + double["nan"]),
        "illegal accepted": f"{single['illegal accepted']} of {tried}" if tried else "",
        "wrong shapes": single["wrong shapes"] or "",
    }


def _three(row: Row) -> str:
    return ", ".join(shown(row[order]) for order in ORDERS.values() if row[order] is not None)


def table(results: report.Results) -> str:
    """The summary as Markdown. Errors are of the value, the gradient and the second derivative, in this order."""
    header, *body = [list(summary(results.rows)[0]), *(list(line.values()) for line in summary(results.rows))]
    quoted = [[f"`{loss}`", f"`{function}`", *rest] for loss, function, *rest in body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *quoted])


def shown(error: float) -> str:
    """An error for people: nothing is left of it, a power of ten, or no digit is right."""
    if error == 0:
        return "0"
    return "∞" if math.isinf(error) else f"{error:.0e}"


def _tell(console: Any, results: report.Results, options: argparse.Namespace) -> None:
    """The tables and the verdicts on stderr, and all of it on stdout as JSON where that is asked for."""
    heading = "Worst relative errors of value, gradient, second derivative beyond the conditioning of the inputs"
    report.print_table(console, heading, summary(results.rows))
    report.print_table(
        console, "Where a peer's worst error is smaller than ours at the same points", nearer(results.rows)
    )
    for claim in results.claims:
        console.print(str(claim), markup=False, soft_wrap=True)
    for library, reason in results.config["missing"].items():
        console.print(f"{library} is left out: {reason}", markup=False, soft_wrap=True)
    console.print(f"Results: {options.out / results.name}", markup=False, soft_wrap=True)
    if options.json:
        whole = {"rows": results.rows, "claims": [dataclasses.asdict(claim) for claim in results.claims]}
        print(json.dumps(report.plain(whole), ensure_ascii=False, indent=1))


def main() -> None:
    """Measure, print, save."""
    import jax

    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics", description=__doc__)
    parser.add_argument("losses", nargs="*", help="names of losses; all of them if none is named")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"), help="the folder that results go to")
    parser.add_argument("--json", action="store_true", help="rows and claims as JSON on stdout")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no tables")
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    for name in options.losses:
        losses.get(name)
    console = report.stderr(quiet=options.quiet)
    with report.showing(console, "numerics") as progress:
        results = run(options.losses or losses.names(), progress)
    report.save(results, options.out)
    _tell(console, results, options)


if __name__ == "__main__":
    main()
