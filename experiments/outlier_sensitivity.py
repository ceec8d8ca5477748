"""How far do bad points drag a fit?

Design. Linear regression (n = 100, d = 3, standard Gaussian noise, so that thresholds are in units of it) with a
share of the rows spoilt: vertical outliers (the target moved up) or bad leverage points (features moved too, so that
the row contradicts the fit). Each loss is solved exactly; the error is the distance of the coefficients from the
truth, in the target's unit, because the features are standardised; medians and quartiles over data sets. The biweight
starts once from least squares and once from a robust start (least trimmed squares). Then
logistic losses with flipped labels and with negatives deep inside the positive class; the effect of one added row
against its prediction by automatic differentiation; and four classic tables with outliers, against R.

Claims. The pull of squared error is without limit and linear in the size of the outlier; Huber's stays at delta; a
redescender's returns to zero. Adding one row has the effect that psi predicts. Bad leverage defeats every monotone
psi: on starsCYG least squares, absolute error and Huber keep a slope of the wrong sign, and the biweight from a
robust start recovers it.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import lossopt as lo
from lossopt import analysis, data, losses, models, plots, report
from lossopt.plots import Curve


HUBER = lo.bind(losses.huber, delta=1.345)
REGRESSION = {
    "squared_error": losses.squared_error,
    "absolute_error": losses.absolute_error,
    "huber": HUBER,
    "cauchy": losses.cauchy,
    "tukey": losses.tukey,
}
BINARY = {"logistic": losses.logistic, "hinge": losses.hinge, "squared_hinge": losses.squared_hinge}
ROBUST = "tukey, robust start"
REAL = ("squared_error", "absolute_error", "huber", ROBUST)
ONE_MORE = ("squared_error", "huber", "cauchy", "tukey")
KINDS = {"vertical": data.vertical, "leverage": data.leverage}
LABEL_KINDS = {"flip": data.flip, "leverage": data.leverage}
FRACTIONS = np.round(np.linspace(0, 0.45, 10), 3)
SIZES = np.geomspace(1, 1e4, 9)


def spoilt(kinds: dict, key, clean: data.Dataset, kind, fraction, size) -> data.Dataset:
    """The data with a share of the rows spoilt; which kind may be traced."""
    ways = [functools.partial(data.contaminate, kind=way) for way in kinds.values()]
    return jax.lax.switch(
        kind, [lambda f, s, way=way: way(key, clean, fraction=f, size=s) for way in ways], fraction, size
    )


class Problem(NamedTuple):
    """A data set, the thresholds that huber and tukey take on it, and the randomness of the robust start."""

    data: data.Dataset
    delta: jax.Array
    c: jax.Array
    key: jax.Array


def solve(name: str, problem: Problem) -> tuple[models.Params, jax.Array]:
    """Coefficients and cost under a loss."""
    d, options = problem.data, {}
    loss = {**REGRESSION, **BINARY, ROBUST: losses.tukey}[name]
    if name in BINARY:
        options = {"model": models.logistic, "l2": 1e-3}
    elif name == "huber":
        loss = lo.bind(losses.huber, delta=problem.delta)
    elif loss is losses.tukey:
        loss = lo.bind(losses.tukey, c=problem.c)
    if name == ROBUST:
        options = {"init": analysis.robust_start(problem.key, d, subsets=50)}
    solution = lo.solve(loss, d, **options)
    return solution.params, solution.cost


def make_regression(keys, case: tuple) -> data.Dataset:
    """One spoilt regression problem; its truth is all ones."""
    return spoilt(KINDS, keys[1], data.linear_problem(keys[0], n=100, d=3), *case)


def make_binary(keys, case: tuple) -> data.Dataset:
    """One spoilt classification problem."""
    return spoilt(LABEL_KINDS, keys[1], data.binary_problem(keys[0], n=200, d=3, separation=3.0), *case)


@functools.partial(jax.jit, static_argnames="make")
def problems(make: Callable, cases: tuple, keys) -> Problem:
    """Every case on the data of every key, in one stack: (cases x keys, ...)."""
    split = jax.vmap(lambda key: jax.random.split(key, 3))(keys)

    def one(case, triple):
        d = make(triple, case)
        d = d._replace(weights=jnp.ones(d.features.shape[0]))
        return Problem(d, jnp.asarray(1.345), jnp.asarray(4.685), triple[2])

    stack = jax.vmap(lambda case: jax.vmap(lambda triple: one(case, triple))(split))(cases)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), stack)


@functools.partial(jax.jit, static_argnames="name")
def solve_all(name: str, stack: Problem) -> tuple[models.Params, jax.Array]:
    """Coefficients and costs on every problem of a stack."""
    take = lambda i: solve(name, jax.tree.map(lambda leaf: leaf[i], stack))  # noqa: E731
    return analysis.over_grid(take, jnp.arange(stack.delta.size))


def distance(params: models.Params) -> np.ndarray:
    """From the truth, in the target's unit."""
    return np.hypot(np.linalg.norm(params.weights - 1, axis=-1), params.bias - 1)


def accuracy(params: models.Params) -> np.ndarray:
    """Share of new, clean examples classified rightly, in closed form."""
    centre, norm = 1.5 * jnp.sum(params.weights, axis=-1) / 3**0.5, jnp.linalg.norm(params.weights, axis=-1)
    sides = [jax.scipy.stats.norm.cdf(side / norm) for side in (centre + params.bias, centre - params.bias)]
    return np.asarray((sides[0] + sides[1]) / 2)


def regression_cases() -> tuple:
    """Both kinds over the fractions at size 10, then vertical outliers over the sizes at a tenth of the rows."""
    rows = [(kind, fraction, 10.0) for kind in range(len(KINDS)) for fraction in FRACTIONS]
    rows += [(0, 0.1, size) for size in SIZES]
    return tuple(jnp.asarray(column) for column in zip(*rows, strict=True))


def label_cases() -> tuple:
    """Both kinds over the fractions, leverage at size 10."""
    rows = [(kind, fraction, 10.0) for kind in range(len(LABEL_KINDS)) for fraction in FRACTIONS]
    return tuple(jnp.asarray(column) for column in zip(*rows, strict=True))


def one_more_row(seed: int, loss: losses.Loss, targets) -> tuple[np.ndarray, np.ndarray]:
    """Effect on the bias of one row added at the centre: measured, and by automatic differentiation."""
    d = data.linear_problem(jax.random.key(seed), n=400, d=1)
    centre = {"features": jnp.zeros(1), "targets": targets}

    @jax.jit
    def both(d):
        fitted = lo.solve(loss, d).params
        measured = analysis.sensitivity_curve(lambda d: lo.solve(loss, d).params.bias, d, **centre)
        return measured, analysis.influence(loss, d, fitted, **centre).bias, fitted.bias

    measured, predicted, centre_of_fit = both(d)
    return np.asarray(measured), np.asarray(predicted), np.asarray(targets - centre_of_fit)


# By R 4.2.2: the first coefficient by lm, MASS::rlm 7.3-58.2 (Huber, k = 1.345) and robustbase::lmrob 0.95 (MM,
# biweight), with the thresholds in the target's unit at which the last two stand; the sum of absolute residuals
# by quantreg::rq 5.94 (its coefficients need not be unique, and on phones are not).
R_FITS = {
    "starsCYG": {"squared_error": -0.413303860587056, "huber": -0.428524770727202, ROBUST: 2.25316129183307},
    "phones": {"squared_error": 5.04147826086957, "huber": 2.03960046572059, ROBUST: 1.10095709484185},
    "stackloss": {"squared_error": 0.715640200485283, "huber": 0.829385770253855, ROBUST: 0.93884547689624},
    "hbk": {"squared_error": 0.239184791709944, "huber": 0.166356301390756, ROBUST: 0.085273566303163},
}
R_ABSOLUTE = {"starsCYG": 21.9452272727273, "phones": 844.0, "stackloss": 42.0811594202899, "hbk": 86.7428695254756}
R_THRESHOLDS = {
    "starsCYG": (0.944982539065024, 2.20880903522334),
    "phones": (12.1171430713402, 9.9742321645099),
    "stackloss": (3.28245776686033, 8.95948533619985),
    "hbk": (1.20200222713938, 3.69732459971209),
}


def table_problem(name: str, rows: int = 100, columns: int = 3) -> Problem:
    """A table with rows of weight 0 and columns of zeros added: in the shape of the sweeps, it compiles with them."""
    d = data.load(name)
    short, narrow = rows - d.features.shape[0], columns - d.features.shape[1]
    full = data.Dataset(
        jnp.pad(d.features, ((0, short), (0, narrow))),
        jnp.pad(d.targets, (0, short)),
        jnp.pad(jnp.ones_like(d.targets), (0, short)),
    )
    return Problem(full, *map(jnp.asarray, R_THRESHOLDS[name]), jax.random.key(0))


def run(*, seed: int, quick: bool, progress: report.Progress) -> report.Results:
    """Spoil, solve, and measure the claims."""
    keys = jax.random.split(jax.random.key(seed), 8 if quick else 40)
    spoiled = problems(make_regression, regression_cases(), keys)
    tables = [table_problem(name) for name in R_FITS]
    stack = jax.tree.map(lambda all_of, *each: jnp.concatenate([all_of, jnp.stack(each)]), spoiled, *tables)
    every = functools.partial(report.side_by_side, progress=progress)
    found = every(lambda name: solve_all(name, stack), [*REGRESSION, ROBUST], doing="solving spoilt data")
    many = spoiled.delta.size
    errors = {name: distance(params)[:many].reshape(-1, len(keys)) for name, (params, _) in found.items()}
    flipped = problems(make_binary, label_cases(), keys)
    labelled = every(lambda name: solve_all(name, flipped)[0], BINARY, doing="solving wrong labels")
    rates = {name: accuracy(params).reshape(-1, len(keys)) for name, params in labelled.items()}
    curves = {f"spoilt/{name}": quartiles(values) for name, values in {**errors, **rates}.items()}
    for i, name in enumerate(R_FITS):
        for loss in REAL:
            params, cost = jax.tree.map(lambda leaf: leaf[many + i], found[loss])  # noqa: B023
            curves[f"{name}/{loss}"] = np.array([params.weights[0], params.bias, cost * data.describe(name).rows])
    targets = jnp.linspace(-15, 15, 121)
    effects = every(lambda name: one_more_row(seed, REGRESSION[name], targets), ONE_MORE, doing="adding one row")
    for name, (measured, predicted, residuals) in effects.items():
        curves |= {f"row/{name}/measured": measured, f"row/{name}/predicted": predicted, "row/residuals": residuals}
    return report.Results(
        rows=[*sweep_rows(errors, rates), *real_rows(curves)],
        curves=curves,
        claims=[*pulls(curves), *growth(errors), *leverage_claims(curves), *against_r(curves)],
        captions=CAPTIONS,
        config={"data sets": len(keys), "rows": 100, "rows for labels": 200},
    )


def quartiles(values: np.ndarray) -> np.ndarray:
    """(3, cases): quartiles over data sets."""
    return np.quantile(values, (0.25, 0.5, 0.75), axis=1)


def sweep_rows(errors: dict, rates: dict) -> list[dict]:
    """The tidy table of the sweeps."""
    rows = []
    for found, cases, kinds, unit in (
        (errors, regression_cases(), KINDS, "coefficient error"),
        (rates, label_cases(), LABEL_KINDS, "accuracy"),
    ):
        for name, values in found.items():
            for kind, fraction, size, row in zip(*map(np.asarray, cases), values, strict=True):
                low, middle, high = np.quantile(row, (0.25, 0.5, 0.75))
                rows.append(
                    {"loss": name, "kind": list(kinds)[kind], "fraction": fraction, "size": size, "measure": unit,
                     "median": middle, "lower quartile": low, "upper quartile": high}
                )  # fmt: skip
    return rows


def real_rows(curves: dict) -> list[dict]:
    """The tidy table of the classic tables: the coefficient of the first feature."""
    return [
        {"loss": loss, "kind": f"table {name}", "measure": "first coefficient", "median": curves[f"{name}/{loss}"][0]}
        for name in R_FITS
        for loss in REAL
    ]


def pulls(curves: dict) -> list[report.Claim]:
    """What one residual can do, by automatic differentiation, and what one row does."""
    slope = lambda loss, r: float(jax.grad(loss)(r, 0.0))  # noqa: E731
    claim = functools.partial(report.Claim, source="the derivative of the loss (Huber 1981, chapter 3)")
    claims = [
        claim(statement="squared error: slope at 1e6", measured=slope(losses.squared_error, 1e6), expected=2e6),
        claim(statement="huber: slope at a residual of 1e6 is delta", measured=slope(HUBER, 1e6), expected=1.345),
        claim(statement="tukey: slope at a residual of 1e6", measured=slope(losses.tukey, 1e6), expected=0.0),
        claim(
            statement="cauchy: slope at a residual of 1e6, in the limit c^2/r", measured=slope(losses.cauchy, 1e6),
            expected=2.3849471194**2 / 1e6, kind="relative", tolerance=1e-9,
        ),
    ]  # fmt: skip
    for name in ONE_MORE:
        measured, predicted = curves[f"row/{name}/measured"], curves[f"row/{name}/predicted"]
        claims.append(
            report.Claim(
                statement=f"{name}: effect of one added row less its prediction by psi, over the largest effect",
                measured=np.max(np.abs(measured - predicted)) / np.max(np.abs(predicted)),
                expected=0.0,
                tolerance=0.02,
                source="Hampel et al. (1986), section 2.1e: equal up to order 1/n, n = 400",
            )
        )
    return claims


def growth(errors: dict) -> list[report.Claim]:
    """How the error follows the size of vertical outliers."""
    middle = {name: np.median(values[-len(SIZES) :], axis=1) for name, values in errors.items()}
    far = SIZES >= 100
    power = np.polyfit(np.log(SIZES[far]), np.log(middle["squared_error"][far]), 1)[0]
    flat = {name: middle[name][-1] / middle[name][far][0] for name in ("absolute_error", "huber", ROBUST)}
    claims = [
        report.Claim(
            statement="squared error, vertical outliers in a tenth of the rows: the error is their size to the power",
            measured=power, expected=1.0, tolerance=0.01, source="the fit is linear in the targets",
        )
    ]  # fmt: skip
    for name, ratio in flat.items():
        claims.append(
            report.Claim(
                statement=f"{name}: error with outliers of size 10 000 over that with size 100",
                measured=ratio, expected=1.0, tolerance=0.01, source="psi is constant, or 0, out there",
            )
        )  # fmt: skip
    return claims


def leverage_claims(curves: dict) -> list[report.Claim]:
    """The sign of the slope on starsCYG: Rousseeuw and Leroy's example of four giant stars."""
    source = "Rousseeuw and Leroy (1987), chapter 2, table 3: light rises with temperature on the main sequence"
    claims = []
    for loss in REAL:
        kind, verb = ("at_least", "recovers the right") if loss == ROBUST else ("at_most", "keeps the wrong")
        statement = f"starsCYG: {loss} {verb} sign of the slope"
        slope = curves[f"starsCYG/{loss}"][0]
        claims.append(report.Claim(statement=statement, measured=slope, expected=0.0, kind=kind, source=source))
    return claims


def against_r(curves: dict) -> list[report.Claim]:
    """The same fits by R."""
    makers = {"squared_error": "R lm", "huber": "R MASS::rlm", ROBUST: "R robustbase::lmrob"}
    claim = functools.partial(report.Claim, kind="relative", tolerance=1e-7)
    claims = []
    for name, fits in R_FITS.items():
        for loss, expected in fits.items():
            statement, measured = f"{name}: first coefficient under {loss}", curves[f"{name}/{loss}"][0]
            claims.append(claim(statement=statement, measured=measured, expected=expected, source=makers[loss]))
        total = curves[f"{name}/absolute_error"][2]
        statement = f"{name}: least sum of absolute residuals"
        claims.append(claim(statement=statement, measured=total, expected=R_ABSOLUTE[name], source="R quantreg::rq"))
    return claims


CAPTIONS = {
    "fraction": "How far the coefficients are from the truth as more rows are spoilt (size 10): median "
    "and quartiles over data "
    "sets. Vertical outliers divide the losses; bad leverage points defeat all of them but the biweight "
    "from a robust start.",
    "size": "The same against the size of vertical outliers in a tenth of the rows. Squared error "
    "follows them without limit. "
    "The biweight started from least squares is lost once its start is.",
    "labels": "Accuracy on clean data as more training labels are wrong: flipped at random, and negatives put deep "
    "inside the positive class. No convex loss withstands the latter; at 0.5 the hinge has given up and "
    "calls every example "
    "negative.",
    "row": "What one more row at the centre does to the fit, times n + 1: measured by adding it "
    "(coloured) and predicted by "
    "automatic differentiation (grey). This is psi, the slope of the loss.",
    "tables": "Two classic tables. The four giant stars, left, turn every monotone loss's line; the "
    "calls of 1964–1969 were "
    "recorded in minutes, not in calls.",
}


def plot(results: report.Results) -> dict:
    """The five figures, from the results alone."""
    curves = results.curves
    return {
        "fraction": fraction_figure(curves),
        "size": size_figure(curves),
        "labels": labels_figure(curves),
        "row": row_figure(curves),
        "tables": tables_figure(curves),
    }


def band(curves: dict, name: str, x, rows: slice) -> Curve:
    """Median and quartiles of a stretch of the cases."""
    low, middle, high = curves[f"spoilt/{name}"][:, rows]
    return Curve(x, middle, low, high)


def fraction_figure(curves: dict):
    """Error against the share of spoilt rows."""
    many = len(FRACTIONS)
    panels = {
        f"{kind} outliers" if kind == "vertical" else "bad leverage points": {
            name: band(curves, name, FRACTIONS, slice(i * many, (i + 1) * many)) for name in [*REGRESSION, ROBUST]
        }
        for i, kind in enumerate(KINDS)
    }
    return plots.curve(
        panels, xlabel="share of rows spoilt", ylabel="coefficient error (in the target's unit)", columns=2
    )


def size_figure(curves: dict):
    """Error against the size of outliers."""
    lines = {name: band(curves, name, SIZES, slice(-len(SIZES), None)) for name in [*REGRESSION, ROBUST]}
    return plots.curve(
        lines, xlabel="size of the outliers (in standard deviations of the noise)",
        ylabel="coefficient error (in the target's unit)", xscale="log", yscale="log",
    )  # fmt: skip


def labels_figure(curves: dict):
    """Accuracy against the share of wrong labels."""
    many = len(FRACTIONS)
    titles = {"flip": "labels flipped", "leverage": "negatives deep inside"}
    panels = {
        titles[kind]: {name: band(curves, name, FRACTIONS, slice(i * many, (i + 1) * many)) for name in BINARY}
        for i, kind in enumerate(LABEL_KINDS)
    }
    return plots.curve(panels, xlabel="share of rows spoilt", ylabel="accuracy on clean data", columns=2)


def row_figure(curves: dict):
    """The sensitivity curve beside psi."""
    r = curves["row/residuals"]
    lines = {name: Curve(r, curves[f"row/{name}/measured"]) for name in ONE_MORE}
    predicted = {name: {"predicted": Curve(r, curves[f"row/{name}/predicted"])} for name in ONE_MORE}
    return plots.curve(
        {name: {"measured": line} for name, line in lines.items()}, xlabel="residual of the added row (noise SDs)",
        ylabel="effect on the fit × (n + 1)", columns=4, size=(4.2, 3.8), reference=predicted, ylim=(-5, 5),
    )  # fmt: skip


def tables_figure(curves: dict):
    """Points and lines of two tables."""
    scatters = {}
    for name, outliers in (("starsCYG", (10, 19, 29, 33)), ("phones", range(14, 20))):
        d = data.load(name)
        lines = {loss: tuple(curves[f"{name}/{loss}"][:2]) for loss in REAL}
        scatters[name] = plots.Scatter(
            d.features[:, 0], d.targets, lines, outliers=tuple(outliers), xlabel=AXES[name][0], ylabel=AXES[name][1]
        )
    return plots.fits(scatters)


AXES = {
    "starsCYG": ("log surface temperature (log₁₀ K)", "log light intensity (log₁₀, sun = 0)"),
    "phones": ("year (19..)", "calls from Belgium (tens of millions)"),
}


def main() -> None:
    """Run the experiment as a command."""
    report.main(run, plot, doc=__doc__, name="outlier_sensitivity")


if __name__ == "__main__":
    main()
