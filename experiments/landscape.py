"""What does the valley look like?

Design. The cost of a line with two parameters, slope and intercept, drawn over both. Forty points on a line; in three
panels a quarter of them are replaced by a cluster far out that contradicts it; in one the feature is not centred; and
forty points of two separable classes. Gradient descent, momentum and Adam start at the same place. The minima come
from the exact solver, started at every local minimum of the grid.

Claims. A convex loss has one basin, and the biweight several when the data do. The valley's shape is the Hessian's: its
condition number, by automatic differentiation, sets the pace of gradient descent, and centring the feature mends it. On
separable classes the valley has no floor.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lossopt as lo
from lossopt import data, losses, models, plots, report


HUBER = lo.bind(losses.huber, delta=0.5)
TUKEY = lo.bind(losses.tukey, c=1.5)
START = (-2.5, 3.0)
SQUARED = "squared error, feature centred"
RAW = "squared error, feature not centred"
BIWEIGHT = "tukey, two groups"
SEPARABLE = "logistic, separable classes"
PANELS = {
    SQUARED: (losses.half_squared_error, "line", models.linear),
    RAW: (losses.half_squared_error, "shifted", models.linear),
    "absolute error, two groups": (losses.absolute_error, "groups", models.linear),
    "huber, two groups": (HUBER, "groups", models.linear),
    BIWEIGHT: (TUKEY, "groups", models.linear),
    SEPARABLE: (losses.logistic, "classes", models.logistic),
}
STEP = 0.15
OPTIMIZERS = {
    "gradient descent": optax.sgd(STEP),
    "momentum": optax.sgd(STEP, momentum=0.8),
    "adam": optax.adam(STEP),
}


def tables(seed: int) -> dict[str, data.Dataset]:
    """The four data sets."""
    line_key, spoil_key, class_key = jax.random.split(jax.random.key(seed), 3)
    line = data.linear_problem(line_key, n=40, d=1, bias=0.5, noise_scale=0.3)
    far = jax.random.normal(spoil_key, (10, 2)) * 0.3 + jnp.array([[3.0, -3.0]])
    groups = data.Dataset(line.features.at[:10, 0].set(far[:, 0]), line.targets.at[:10].set(far[:, 1]))
    shifted = data.Dataset(line.features + 1.5, line.targets)
    classes = data.binary_problem(class_key, n=40, d=1, separation=3.0, margin=0.4)
    return {"line": line, "shifted": shifted, "groups": groups, "classes": classes}


def axes(quick: bool) -> tuple[np.ndarray, np.ndarray]:
    """The slopes and intercepts of the grid."""
    points = 61 if quick else 121
    return np.linspace(-4, 5, points), np.linspace(-4, 5, points)


def objective(loss: losses.Loss, d: data.Dataset, model: models.Model, slope, intercept):
    """The cost at one point of the valley."""
    params = models.Params(jnp.reshape(slope, (1,)), intercept)
    return lo.cost(loss)(jax.vmap(model.predict, (None, 0))(params, d.features), d.targets)


@functools.partial(jax.jit, static_argnames="model")
def surface(loss: losses.Loss, d: data.Dataset, model: models.Model, slopes, intercepts):
    """The cost on the grid, (intercepts, slopes)."""
    at = functools.partial(objective, loss, d, model)
    return jax.vmap(lambda b: jax.vmap(lambda w: at(w, b))(slopes))(intercepts)


def basins(loss: losses.Loss, d: data.Dataset, model: models.Model, heights: np.ndarray, grid: tuple) -> np.ndarray:
    """The distinct minima that the solver reaches from the local minima of the grid, (basins, 2), deepest first."""
    inner = heights[1:-1, 1:-1]
    rows, columns = heights.shape
    shifts = [(i, j) for i in range(3) for j in range(3) if (i, j) != (1, 1)]
    lowest = np.logical_and.reduce([inner < heights[i : rows - 2 + i, j : columns - 2 + j] for i, j in shifts])
    found = {}
    for i, j in zip(*np.nonzero(lowest), strict=True):
        init = models.Params(jnp.array([grid[0][j + 1]]), jnp.array(grid[1][i + 1]))
        solution = lo.solve(loss, d, model=model, init=init)
        place = np.array([solution.params.weights[0], solution.params.bias])
        # Where every curvature has gone the ground is flat along a line, and that is no basin.
        if condition(loss, d, model, place)[1] > 1e-6 or loss is losses.absolute_error:
            found[tuple(np.round(place, 3))] = (float(solution.cost), *place)
    return np.array(sorted(found.values()))[:, 1:] if found else np.zeros((0, 2))


def paths(loss: losses.Loss, d: data.Dataset, model: models.Model, num_steps: int) -> dict[str, np.ndarray]:
    """Where each optimiser goes, (steps + 1, 2)."""
    start = models.Params(jnp.array([START[0]]), jnp.array(START[1]))
    walked = {}
    for name, optimizer in OPTIMIZERS.items():
        run = lo.fit(
            loss, d, model=model, optimizer=optimizer, num_steps=num_steps, init=start, keep_params=True
        ).trace.params
        walked[name] = np.c_[np.asarray(run.weights)[:, 0], np.asarray(run.bias)]
    return walked


def condition(loss: losses.Loss, d: data.Dataset, model: models.Model, place: np.ndarray) -> tuple[float, float]:
    """Condition number of the Hessian at a point, by automatic differentiation, and its least eigenvalue."""
    at = lambda v: objective(loss, d, model, v[0], v[1])  # noqa: E731
    eigenvalues = jnp.linalg.eigvalsh(jax.hessian(at)(jnp.asarray(place)))
    return float(eigenvalues[-1] / eigenvalues[0]), float(eigenvalues[0])


def run(*, seed: int, quick: bool, progress: report.Progress) -> report.Results:
    """Draw the valleys, walk them, and measure the claims."""
    grid, sets = axes(quick), tables(seed)
    curves: dict = {"slopes": grid[0], "intercepts": grid[1]}
    rows, claims = [], []
    for title, (heights, minima, walked) in report.side_by_side(
        lambda title: valley(title, sets, grid), PANELS, progress, "valleys"
    ).items():
        curves |= {f"{title}/surface": heights, f"{title}/minima": minima}
        curves |= {f"{title}/{optimizer}": path for optimizer, path in walked.items()}
        rows += [row(title, minima, optimizer, path) for optimizer, path in walked.items()]
        claims += basin_claims(title, minima)
    claims += shape_claims(sets, curves)
    outcome = lo.solve(losses.logistic, sets["classes"], model=models.logistic).status
    claims.append(
        report.Claim(
            statement="separable classes: the solver answers that there is no finite minimiser (1: yes)",
            measured=outcome.code == lo.Status.NO_FINITE_MINIMISER, expected=1,
            source="Albert and Anderson (1984), theorem 1",
        )
    )  # fmt: skip
    return report.Results(rows=rows, curves=curves, claims=claims, captions=CAPTIONS, config={"points": 40})


def valley(title: str, sets: dict, grid: tuple) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The surface, the minima and the paths of one panel."""
    loss, name, model = PANELS[title]
    heights = np.asarray(surface(as_pytree(loss), sets[name], model, *map(jnp.asarray, grid)))
    return heights, basins(loss, sets[name], model, heights, grid), paths(loss, sets[name], model, 300)


def as_pytree(loss: losses.Loss) -> losses.Loss:
    """A loss that jit takes as an argument."""
    return lo.bind(loss)


def row(title: str, minima: np.ndarray, optimizer: str, path: np.ndarray) -> dict:
    """The tidy row of one path."""
    away = np.linalg.norm(minima - path[-1], axis=1) if len(minima) else np.array([np.inf])
    return {
        "valley": title,
        "basins": len(minima),
        "optimiser": optimizer,
        "slope at the end": path[-1, 0],
        "intercept at the end": path[-1, 1],
        "distance to the nearest minimum": float(np.min(away)),
    }


def basin_claims(title: str, minima: np.ndarray) -> list[report.Claim]:
    """How many basins there are."""
    if title == SEPARABLE:
        return []
    if title == BIWEIGHT:
        text, kind, expected = "the biweight has several basins", "at_least", 2.0
        source = "Huber (1981), section 4.8: a redescending psi has several roots"
    else:
        text, kind, expected, source = "a convex cost has one basin", "equal", 1.0, "convexity"
    statement = f"{title}: {text}"
    return [report.Claim(statement=statement, measured=len(minima), expected=expected, kind=kind, source=source)]


def shape_claims(sets: dict, curves: dict) -> list[report.Claim]:
    """The Hessian's condition number and the pace that it sets."""
    claims = []
    for title, name, first, last in ((SQUARED, "line", 20, 60), (RAW, "shifted", 100, 250)):
        loss, _, model = PANELS[title]
        place = curves[f"{title}/minima"][0]
        kappa, least = condition(loss, sets[name], model, place)
        x = np.c_[np.asarray(sets[name].features), np.ones(40)]
        distance = np.linalg.norm(curves[f"{title}/gradient descent"] - place, axis=1)
        pace = (distance[last] / distance[first]) ** (1 / (last - first))
        claims.append(
            report.Claim(
                statement=f"{title}: condition number of the Hessian by automatic differentiation",
                measured=kappa, expected=np.linalg.cond(x.T @ x), tolerance=1e-6, kind="relative",
                source="the Hessian of half the mean squared error is X'X/n",
            )
        )  # fmt: skip
        claims.append(
            report.Claim(
                statement=f"{title}: contraction of gradient descent a step", measured=pace,
                expected=1 - STEP * least, tolerance=0.005, source="one less step times the least eigenvalue",
            )
        )  # fmt: skip
    return claims


CAPTIONS = {
    "valleys": "The cost over slope and intercept, white is low, with the paths of three optimisers from "
    "one start; stars are "
    "minima. Above: a round valley, a narrow one (the same data, the feature not centred), and the creases of absolute "
    "error. Below: Huber's smooth bowl, the biweight with a basin for each group, and separable classes, whose valley "
    "falls for ever towards steeper slopes.",
}


def plot(results: report.Results) -> dict:
    """The figure, from the results alone."""
    curves = results.curves
    valleys = {
        title: plots.Valley(
            curves["slopes"], curves["intercepts"], curves[f"{title}/surface"],
            paths={name: curves[f"{title}/{name}"] for name in OPTIMIZERS}, minima=curves[f"{title}/minima"],
        )
        for title in PANELS
    }  # fmt: skip
    return {"valleys": plots.valley(valleys, xlabel="slope (target per feature)", ylabel="intercept (target's unit)")}


def main() -> None:
    """Run the experiment as a command."""
    report.main(run, plot, doc=__doc__, name="landscape")


if __name__ == "__main__":
    main()
