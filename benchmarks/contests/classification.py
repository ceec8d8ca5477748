"""Classifiers: logistic regression, softmax, and support-vector machines through the origin.

LinearSVC penalises an intercept where it fits one; without, its objective is C n times ours.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lossopt import losses, models
from lossopt.data import Dataset
from lossopt.solve import solve

from ._contest import Contest, Fit, fitted, glum, GRADIENT, installed, linear, Objective, ours, Peers, statsmodels_glm
from ._tables import binary


def logistic_many(fits: int = 2000, rows: int = 200, columns: int = 6) -> Contest:
    """Logistic regressions of small tables."""
    x, y = binary(fits, rows, columns)
    peers = installed(lambda: _sklearn(x, y, "lbfgs", "newton-cholesky", "newton-cg"))
    return Contest(ours(losses.logistic, x, y, model=models.logistic), peers, _logistic(x, y), fits, 1e-9)


def logistic_large(rows: int = 500_000, columns: int = 50) -> Contest:
    """One logistic regression of a long table."""
    return _long(*binary(1, rows, columns))


def logistic_correlated(rows: int = 500_000, columns: int = 50) -> Contest:
    """The same with correlated columns, of condition 1e4."""
    return _long(*binary(1, rows, columns, condition=1e4))


def softmax_large(rows: int = 60_000, columns: int = 100, classes: int = 10, l2: float = 1e-3) -> Contest:
    """One penalised softmax regression."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    scores = x @ rng.normal(size=(columns, classes)) / 5
    y = np.argmax(scores + rng.gumbel(size=scores.shape), axis=1).astype(np.int32)
    on_device = jax.device_put((x, y))

    def run() -> Any:
        data = Dataset(*on_device)
        model = models.softmax(classes)
        found = solve(losses.softmax_cross_entropy, data, model=model, l2=l2, tolerance=GRADIENT).params
        return jnp.concatenate([found.weights.ravel(), found.bias.ravel()])[None]

    return Contest(run, installed(lambda: _softmax_peers(x, y, l2)), _softmax(x, y, classes, l2), 1, 1e-8)


def softmax_medium(rows: int = 10_000, columns: int = 20, classes: int = 10, l2: float = 1e-3) -> Contest:
    """The same of a table that is not gone through in blocks."""
    return softmax_large(rows, columns, classes, l2)


def squared_hinge_large(rows: int = 100_000, columns: int = 50, l2: float = 1e-3) -> Contest:
    """One support-vector machine with the squared hinge."""
    return _margin(losses.squared_hinge, *binary(1, rows, columns, level=0.0), l2)


def hinge_large(rows: int = 20_000, columns: int = 20, l2: float = 1e-3) -> Contest:
    """One support-vector machine with the hinge."""
    return _margin(losses.hinge, *binary(1, rows, columns, level=0.0), l2)


def _long(x: np.ndarray, y: np.ndarray) -> Contest:
    peers = installed(
        lambda: _sklearn(x, y, "newton-cholesky", "lbfgs"),
        lambda: glum(x, y, "binomial"),
        lambda: statsmodels_glm(x, y, "Binomial"),
    )
    fit = ours(losses.logistic, x, y, model=models.logistic, tolerance=GRADIENT)
    return Contest(fit, peers, _logistic(x, y), 1, 1e-9)


def _logistic(x: np.ndarray, y: np.ndarray) -> Objective:
    def objective(coefficients: np.ndarray, i: int) -> float:
        return float(np.mean(np.logaddexp(0, (1 - 2 * y[i]) * linear(x[i], coefficients))))

    return objective


def _sklearn(x: np.ndarray, y: np.ndarray, *solvers: str) -> Peers:
    from sklearn.linear_model import LogisticRegression

    def by(solver: str) -> Fit:
        model = LogisticRegression(C=np.inf, solver=solver, tol=GRADIENT, max_iter=1000)
        return lambda i: fitted(model.fit(x[i], y[i]))

    return {f"scikit-learn LogisticRegression({solver})": by(solver) for solver in solvers}


def _softmax_peers(x: np.ndarray, y: np.ndarray, l2: float) -> Peers:
    from sklearn.linear_model import LogisticRegression

    def by(solver: str) -> Fit:
        model = LogisticRegression(C=1 / (l2 * len(x)), solver=solver, tol=GRADIENT, max_iter=1000)

        def fit(i: int) -> np.ndarray:
            found = model.fit(x, y)
            return np.append(found.coef_.T.ravel(), found.intercept_)

        return fit

    return {f"scikit-learn LogisticRegression({solver})": by(solver) for solver in ("lbfgs", "newton-cholesky")}


def _softmax(x: np.ndarray, y: np.ndarray, classes: int, l2: float) -> Objective:
    def objective(coefficients: np.ndarray, i: int) -> float:
        weights, bias = coefficients[:-classes].reshape(-1, classes), coefficients[-classes:]
        z = x @ weights + bias
        top = z.max(axis=1)
        cost = top + np.log(np.exp(z - top[:, None]).sum(axis=1)) - z[np.arange(len(y)), y]
        return float(cost.mean() + l2 / 2 * (weights**2).sum())

    return objective


def _margin(loss: losses.Loss, x: np.ndarray, y: np.ndarray, l2: float) -> Contest:
    power = 2 if loss is losses.squared_hinge else 1

    def objective(coefficients: np.ndarray, i: int) -> float:
        short = np.maximum(0, 1 - (2 * y[i] - 1) * linear(x[i], coefficients))
        return float(np.mean(short**power) + l2 / 2 * (coefficients[:-1] ** 2).sum())

    run = ours(loss, x, y, model=models.without_intercept(models.logistic), l2=l2)
    return Contest(run, installed(lambda: _margin_peers(x, y, loss.__name__, l2)), objective, 1, 1e-6)


def _margin_peers(x: np.ndarray, y: np.ndarray, loss: str, l2: float) -> Peers:
    from sklearn.linear_model import SGDClassifier
    from sklearn.svm import LinearSVC

    strength, dual = 1 / (l2 * x.shape[1]), loss == "hinge"
    common = {"loss": loss, "fit_intercept": False, "random_state": 0}
    svc = LinearSVC(C=strength, dual=dual, tol=1e-7, max_iter=100_000, **common)
    # The steps that it takes by default are too long for a squared hinge of many columns.
    sgd = SGDClassifier(alpha=l2, learning_rate="adaptive", eta0=0.01, tol=1e-6, max_iter=100, **common)
    return {
        f"scikit-learn LinearSVC({loss})": lambda i: fitted(svc.fit(x[i], y[i])),
        f"scikit-learn SGDClassifier({loss})": lambda i: fitted(sgd.fit(x[i], y[i])),
    }
