"""What `lossopt compare` found, as results to save and as tables to read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .. import plots
from ._console import print_table
from ._results import Results, Row


COMPARISON = "comparison"  # the name of the results
SMALLEST = 1e-3  # of the largest error: where the logarithmic axis of the errors ends, if three quarters lie above


def comparison(found: Mapping[str, Any], data: Any, about: Any, *, unit: float, config: Mapping[str, Any]) -> Results:
    """The assessments of losses on one table (name -> `analysis.Assessment`) as results with figures.

    Args:
        found: one assessment a loss.
        data: the `Dataset` that was fitted.
        about: the `Table` that describes it.
        unit: what 1 means in a threshold.
        config: the settings of the comparison.
    """
    curves = {name: _sorted_errors(each, data) for name, each in found.items()}
    figures = {"errors": _draw_errors(curves, about)}
    captions = {"errors": "How many held-out rows are predicted how well. Lower is better, at any share of rows."}
    if about.task == "regression" and len(about.features) == 1:
        figures["fits"] = _draw_fits(found, data, about)
        captions["fits"] = "The fits to all rows. A row is hollow if it lies far from the last of them."
    return Results(
        name=COMPARISON,
        question=f"Which loss suits {about.name}?",
        rows=[_row(name, each, about) for name, each in found.items()],
        curves=curves,
        captions=captions,
        figures=figures,
        config={"table": about.name, "target": about.target, "rows": about.rows, "unit": unit, **config},
    )


def _row(name: str, each: Any, about: Any) -> Row:
    far = None if each.outliers is None else [int(row) for row in np.flatnonzero(each.outliers)]
    return {
        "loss": name,
        "fit": "exact" if each.exact else "by steps",
        "status": _status(each.status),
        **{key: float(value) for key, value in each.errors._asdict().items()},
        **_coefficients(each.params, about),
        "outliers": far if far is None else " ".join(map(str, far)),
    }


def _status(status: Any) -> str:
    # Of many fits the name counts the outcomes; where all agree, the outcome says it all.
    return str(status) if len(set(np.asarray(status.code).tolist())) > 1 else str(status._replace(code=status.code[0]))


def _coefficients(params: Any, about: Any) -> dict[str, float]:
    """Column name -> coefficient, as `b(feature)`, or `b(feature, class)`; the intercept first."""
    names = ("intercept", *about.features)
    table = np.vstack([np.atleast_1d(params.bias)[None], np.reshape(params.weights, (len(about.features), -1))])
    if table.shape[1] == 1:
        return {f"b({name})": float(value) for name, value in zip(names, table[:, 0], strict=True)}
    return {
        f"b({name}, {label})": float(value)
        for name, values in zip(names, table, strict=True)
        for label, value in zip(about.classes, values, strict=True)
    }


def _sorted_errors(each: Any, data: Any) -> np.ndarray:
    """(2, rows): the share of rows, and the error that this share stays within."""
    scores, targets = np.asarray(each.held_out), np.asarray(data.targets)
    if each.outliers is not None:
        sizes = np.abs(scores - targets)
    elif scores.ndim == 1:
        sizes = np.logaddexp(0.0, np.where(targets == 1, -scores, scores))
    else:
        sizes = np.logaddexp.reduce(scores, axis=1) - scores[np.arange(targets.size), targets]
    return np.stack([np.arange(1, sizes.size + 1) / sizes.size, np.sort(sizes)])


def _draw_errors(curves: Mapping[str, np.ndarray], about: Any) -> Figure:
    real = about.task == "regression"
    top = max(float(curve[1].max()) for curve in curves.values()) or 1.0
    low = min(SMALLEST * top, *(float(np.quantile(curve[1], 0.25)) for curve in curves.values()))
    return plots.curve(
        {name: plots.Curve(*curve) for name, curve in curves.items()},
        xlabel="share of held-out rows (sorted by error)",
        ylabel=f"error of {about.target} (in its unit)" if real else "cross-entropy (nats)",
        title=f"{about.name}: held-out errors",
        yscale="log",
        ylim=(max(low, np.finfo(float).eps * top), 1.5 * top),
    )


def _draw_fits(found: Mapping[str, Any], data: Any, about: Any) -> Figure:
    lines = {name: (float(each.params.weights[0]), float(each.params.bias)) for name, each in found.items()}
    far = np.flatnonzero(list(found.values())[-1].outliers)
    x, y = np.asarray(data.features)[:, 0], np.asarray(data.targets)
    labels = (f"{about.features[0]} (in its unit)", f"{about.target} (in its unit)")
    return plots.fits({about.name: plots.Scatter(x, y, lines, tuple(far), *labels)})


def print_comparison(console: Any, results: Results, files: Mapping[str, Path]) -> None:
    """Errors, coefficients and outliers as tables, and where the files are."""
    coefficients = [key for key in results.rows[0] if key.startswith("b(")]
    others = [key for key in results.rows[0] if key not in (*coefficients, "outliers")]
    heading = f"{results.config['table']}: errors on rows held out ({results.config['folds']} folds)"
    print_table(console, heading, [{key: row[key] for key in others} for row in results.rows])
    console.print(f"Smallest: {_smallest(results.rows, others[3:])}.", markup=False, soft_wrap=True)
    print_table(console, "Coefficients", _coefficient_table(results.rows, coefficients))
    if results.rows[0]["outliers"] is not None:
        unit = results.config["unit"]
        console.print(
            f"A threshold of 1 in a loss is {unit:.4g}, in the unit of {results.config['target']}.", markup=False
        )
        far = [{"loss": row["loss"], "rows far from its fit": row["outliers"] or "none"} for row in results.rows]
        print_table(console, "Outliers (rows counted from 0)", far)
    for path in files.values():
        console.print(str(path), markup=False, soft_wrap=True)


def _smallest(rows: Sequence[Row], measures: Sequence[str]) -> str:
    best = {measure: min(rows, key=lambda row, measure=measure: row[measure])["loss"] for measure in measures}  # type: ignore[misc]
    noun = "" if rows[0]["outliers"] is None else " error"
    return "; ".join(f"{measure.replace('_', ' ')}{noun} by {name}" for measure, name in best.items())


def _coefficient_table(rows: Sequence[Row], keys: Sequence[str]) -> list[Row]:
    """Losses by coefficients: down the page those of which there are more."""
    if len(rows) > len(keys):
        return [{"loss": row["loss"], **{key[2:-1]: row[key] for key in keys}} for row in rows]
    return [{"": key[2:-1], **{row["loss"]: row[key] for row in rows}} for key in keys]
