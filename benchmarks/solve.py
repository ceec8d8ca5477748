"""How fast is the exact solver beside the specialised solvers of scikit-learn and statsmodels, at the same objective?

`python -m benchmarks.solve [contests] [--repeats 5]` prints a table: seconds a fit of `lossopt.solve` (compilation
apart), of each peer, and how many times faster ours is. Both objectives are computed here, from the coefficients, by
NumPy; `behind` is how far the peer's lies above the better of the two, relative to it, and `ours` how far ours does. A
peer that is further behind than the tolerance of the contest has not done the same work: its ratio stands in brackets.

Where there are many fits, ours are one `sweep`, and a peer runs a sample of them one by one, as its users must. A peer
that estimates the scale of the noise as well (HuberRegressor, RLM) gives the threshold at which ours is then solved.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._timing import seconds
from lossopt import losses, models
from lossopt.data import Dataset
from lossopt.solve import solve
from lossopt.sweep import sweep


# Of many fits, so many are given to each peer.
SAMPLE = 25


class Contest(NamedTuple):
    """One piece of work.

    Attributes:
        ours: all fits at once: (fits, coefficients), the intercept last.
        peers: name -> one fit by its number: coefficients, the intercept last.
        objective: of the coefficients of one fit, by its number.
        fits: how many there are.
        tolerance: how far behind a peer may be for its time to count, relative to the objective.
    """

    ours: Callable[[], Any]
    peers: Mapping[str, Callable[[int], np.ndarray]]
    objective: Callable[[np.ndarray, int], float]
    fits: int = 1
    tolerance: float = 1e-6


def _linear(features: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return features @ coefficients[:-1] + coefficients[-1]


def _stacked(solution: Any) -> Any:
    return jnp.append(solution.params.weights, solution.params.bias)


def _fitted(model: Any) -> np.ndarray:
    return np.append(np.ravel(model.coef_), np.ravel(model.intercept_))


def _contaminated(fits: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Linear data with Gaussian noise, and a tenth of the targets off by 20."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(fits, rows, columns))
    y = x @ np.arange(1.0, columns + 1) / columns + 1 + rng.normal(size=(fits, rows))
    return x, np.where(rng.uniform(size=y.shape) < 0.1, y + 20, y)


def _binary(fits: int, rows: int, columns: int, condition: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(fits, rows, columns))
    if condition > 1:
        turn = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
        x = x @ (turn * np.geomspace(1, 1 / condition, columns)) @ turn.T
    chance = 1 / (1 + np.exp(-(x @ np.linspace(-1, 1, columns) - 0.3)))
    return x, (rng.uniform(size=chance.shape) < chance).astype(float)


def _all_at_once(loss: Any, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    def run() -> np.ndarray:
        found = sweep({"all": loss}, Dataset(x, y))["all"].params
        return np.concatenate([found.weights, found.bias[..., None]], axis=-1).reshape(len(x), -1)

    return run


def _alone(loss: Any, x: np.ndarray, y: np.ndarray, **options: Any) -> Callable[[], Any]:
    on_device = jax.device_put((x, y))
    return lambda: _stacked(solve(loss, Dataset(*on_device), **options))[None]


def huber_many(fits: int = 2000, rows: int = 200, columns: int = 6) -> Contest:
    """Huber fits of contaminated tables."""
    import statsmodels.api as sm
    from sklearn.linear_model import HuberRegressor

    x, y = _contaminated(fits, rows, columns)
    model = HuberRegressor(alpha=0, tol=1e-8, max_iter=1000)
    delta = np.empty(fits)
    for i in range(fits):
        # A sample has its own threshold, the others that of the first.
        delta[i] = 1.35 * model.fit(x[i], y[i]).scale_ if i < SAMPLE else delta[0]

    def peer(i: int) -> np.ndarray:
        return _fitted(model.fit(x[i], y[i]))

    def rlm(i: int) -> np.ndarray:
        # At the threshold given: a scale of 1, held.
        design = sm.add_constant(x[i])
        norm = sm.robust.norms.HuberT(t=delta[i])
        unit = sm.RLM(y[i], design, M=norm)
        unit._estimate_scale = lambda *_: 1.0
        found = unit.fit(update_scale=False, tol=1e-10, maxiter=500).params
        return np.append(found[1:], found[0])

    def objective(coefficients: np.ndarray, i: int) -> float:
        size = np.abs(_linear(x[i], coefficients) - y[i])
        d = delta[i]
        return float(np.mean(np.where(size <= d, size**2 / 2, d * (size - d / 2))))

    # A threshold of its own for each table: residuals are compared with 1 in units of it.
    scaled = _all_at_once(losses.huber, x, y / delta[:, None])
    ours = lambda: scaled() * delta[:, None]  # noqa: E731
    return Contest(ours, {"scikit-learn HuberRegressor": peer, "statsmodels RLM": rlm}, objective, fits)


def huber_large(rows: int = 500_000, columns: int = 50) -> Contest:
    """One Huber fit of a long table, at a fixed threshold."""
    import statsmodels.api as sm
    from scipy.optimize import minimize

    (x,), (y,) = _contaminated(1, rows, columns)
    design = sm.add_constant(x)

    def objective(coefficients: np.ndarray, i: int) -> float:
        size = np.abs(_linear(x, coefficients) - y)
        return float(np.mean(np.where(size <= 1, size**2 / 2, size - 0.5)))

    def rlm(i: int) -> np.ndarray:
        unit = sm.RLM(y, design, M=sm.robust.norms.HuberT(t=1.0))
        unit._estimate_scale = lambda *_: 1.0
        found = unit.fit(update_scale=False, tol=1e-10, maxiter=500).params
        return np.append(found[1:], found[0])

    def lbfgs(i: int) -> np.ndarray:
        def both(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
            residual = _linear(x, coefficients) - y
            slope = np.clip(residual, -1, 1)
            value = float(np.mean(slope * (residual - slope / 2)))
            return value, np.append(x.T @ slope, slope.sum()) / rows

        options = {"maxiter": 1000, "gtol": 1e-9, "ftol": 1e-15}
        return minimize(both, np.zeros(columns + 1), jac=True, method="L-BFGS-B", options=options).x

    return Contest(_alone(losses.huber, x, y), {"statsmodels RLM": rlm, "SciPy L-BFGS-B": lbfgs}, objective, 1, 1e-9)


def _pinball(x: np.ndarray, y: np.ndarray, level: float) -> Callable[[np.ndarray, int], float]:
    def objective(coefficients: np.ndarray, i: int) -> float:
        r = y[i] - _linear(x[i], coefficients)
        return float(np.mean(np.where(r > 0, level * r, (level - 1) * r)))

    return objective


def _quantile_peers(x: np.ndarray, y: np.ndarray, level: float) -> dict[str, Callable[[int], np.ndarray]]:
    import statsmodels.api as sm
    from sklearn.linear_model import QuantileRegressor

    def regressor(i: int) -> np.ndarray:
        return _fitted(QuantileRegressor(quantile=level, alpha=0, solver="highs").fit(x[i], y[i]))

    def quantreg(i: int) -> np.ndarray:
        found = sm.QuantReg(y[i], sm.add_constant(x[i])).fit(q=level, p_tol=1e-10, max_iter=5000).params
        return np.append(found[1:], found[0])

    return {"scikit-learn QuantileRegressor": regressor, "statsmodels QuantReg": quantreg}


def lad_many(fits: int = 2000, rows: int = 200, columns: int = 6) -> Contest:
    """Least absolute deviations of contaminated tables."""
    x, y = _contaminated(fits, rows, columns)
    ours = _all_at_once(losses.bind(losses.quantile, level=0.5), x, y)
    return Contest(ours, _quantile_peers(x, y, 0.5), _pinball(x, y, 0.5), fits, 1e-9)


def quantile_large(rows: int = 20_000, columns: int = 20) -> Contest:
    """One quantile of a long table."""
    x, y = _contaminated(1, rows, columns)
    ours = _alone(losses.bind(losses.quantile, level=0.5), x[0], y[0])
    return Contest(ours, _quantile_peers(x, y, 0.5), _pinball(x, y, 0.5), 1, 1e-9)


def _logistic(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray, int], float]:
    def objective(coefficients: np.ndarray, i: int) -> float:
        m = (2 * y[i] - 1) * _linear(x[i], coefficients)
        return float(np.mean(np.logaddexp(0, -m)))

    return objective


def _logistic_peers(x: np.ndarray, y: np.ndarray, solvers: tuple[str, ...]) -> dict[str, Callable[[int], np.ndarray]]:
    from sklearn.linear_model import LogisticRegression

    def by(solver: str) -> Callable[[int], np.ndarray]:
        model = LogisticRegression(C=np.inf, solver=solver, tol=1e-8, max_iter=1000)
        return lambda i: _fitted(model.fit(x[i], y[i]))

    return {f"scikit-learn LogisticRegression({solver})": by(solver) for solver in solvers}


def logistic_many(fits: int = 2000, rows: int = 200, columns: int = 6) -> Contest:
    """Logistic regressions of small tables."""
    x, y = _binary(fits, rows, columns)
    peers = _logistic_peers(x, y, ("lbfgs", "newton-cholesky", "newton-cg"))
    return Contest(_all_at_once(losses.logistic, x, y), peers, _logistic(x, y), fits, 1e-9)


def logistic_large(rows: int = 500_000, columns: int = 50, condition: float = 1.0) -> Contest:
    """One logistic regression of a long table."""
    x, y = _binary(1, rows, columns, condition)
    ours = _alone(losses.logistic, x[0], y[0], model=models.logistic)
    return Contest(ours, _logistic_peers(x, y, ("newton-cholesky", "lbfgs")), _logistic(x, y), 1, 1e-9)


def logistic_correlated() -> Contest:
    """The same with correlated columns, of condition 1e4."""
    return logistic_large(condition=1e4)


def softmax_large(rows: int = 60_000, columns: int = 100, classes: int = 10, l2: float = 1e-3) -> Contest:
    """One penalised softmax regression."""
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    scores = x @ rng.normal(size=(columns, classes)) / 5
    y = np.argmax(scores + rng.gumbel(size=scores.shape), axis=1).astype(np.int32)
    on_device = jax.device_put((x, y))
    model = models.softmax(classes)

    def ours() -> Any:
        found = solve(losses.softmax_cross_entropy, Dataset(*on_device), model=model, l2=l2).params
        return jnp.concatenate([found.weights.ravel(), found.bias.ravel()])[None]

    def objective(coefficients: np.ndarray, i: int) -> float:
        weights, bias = coefficients[: columns * classes].reshape(columns, classes), coefficients[columns * classes :]
        z = x @ weights + bias
        top = z.max(axis=1)
        cost = top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[np.arange(rows), y]
        return float(cost.mean() + l2 / 2 * (weights**2).sum())

    def by(solver: str) -> Callable[[int], np.ndarray]:
        peer = LogisticRegression(C=1 / (l2 * rows), solver=solver, tol=1e-6, max_iter=1000)
        return lambda i: (lambda found: np.append(found.coef_.T.ravel(), found.intercept_))(peer.fit(x, y))

    solvers = ("lbfgs", "newton-cholesky")
    peers = {f"scikit-learn LogisticRegression({solver})": by(solver) for solver in solvers}
    return Contest(ours, peers, objective, 1, 1e-8)


CONTESTS: dict[str, Callable[[], Contest]] = {
    contest.__name__: contest
    for contest in (
        huber_many, lad_many, logistic_many, quantile_large, softmax_large, huber_large, logistic_large,
        logistic_correlated,
    )
}  # fmt: skip


def hold(name: str, contest: Contest, repeats: int) -> list[dict[str, Any]]:
    """A row a peer."""
    start = time.perf_counter()
    coefficients = np.asarray(jax.block_until_ready(contest.ours()))
    first = time.perf_counter() - start
    sample = range(min(contest.fits, SAMPLE))
    runs = {peer: lambda fit=fit: [fit(i) for i in sample] for peer, fit in contest.peers.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {peer: run() for peer, run in runs.items()}
        taken = seconds({"lossopt": contest.ours, **runs}, repeats=repeats)
    ours = taken["lossopt"] / contest.fits
    rows = []
    for peer, coefficients_of in found.items():
        values = [(contest.objective(coefficients[i], i), contest.objective(coefficients_of[i], i)) for i in sample]
        rows.append({
            "contest": name,
            "ours": ours,
            "compile": max(first - ours * contest.fits, 0.0),
            "peer": peer,
            "theirs": taken[peer] / len(sample),
            "ours behind": max((a - min(a, b)) / min(a, b) for a, b in values),
            "peer behind": max((b - min(a, b)) / min(a, b) for a, b in values),
            "tolerance": contest.tolerance,
        })  # fmt: skip
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("contests", nargs="*", choices=[*CONTESTS, []], help="all if none is given")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    head = f"{'contest':20}{'ms a fit':>10}{'compile s':>11}  {'peer':44}{'ms a fit':>10}"
    print(f"{head}{'times':>9}{'behind':>10}{'ours':>10}")
    for name in options.contests or CONTESTS:
        for row in hold(name, CONTESTS[name](), options.repeats):
            times = f"{row['theirs'] / row['ours']:.1f}"
            shown = times if row["peer behind"] <= row["tolerance"] else f"({times})"
            print(
                f"{name:20}{1e3 * row['ours']:10.3f}{row['compile']:11.2f}  {row['peer']:44}"
                f"{1e3 * row['theirs']:10.2f}{shown:>9}{row['peer behind']:10.1e}{row['ours behind']:10.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
