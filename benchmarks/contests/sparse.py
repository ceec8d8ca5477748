"""Fits with an absolute penalty, of tables of which a tenth of the columns matters.

Coordinate descent goes by columns: those peers are given the table in the order in memory that they would copy it to.
"""

from typing import Any

import numpy as np

from lossopt import losses, models

from ._contest import Contest, Fit, fitted, glum, installed, linear, ours, Peers
from ._tables import sparse


def lasso_large(rows: int = 100_000, columns: int = 100, l1: float = 0.05) -> Contest:
    """One lasso of a long table."""
    x, y = sparse(rows, columns, "linear")

    def objective(coefficients: np.ndarray, i: int) -> float:
        residual = linear(x[i], coefficients) - y[i]
        return float(np.mean(residual**2) / 2 + l1 * np.abs(coefficients[:-1]).sum())

    by_column = np.asfortranarray(x[0])
    peers = installed(
        lambda: _lasso(by_column, y[0], l1),
        lambda: _skglm("Lasso", by_column, y[0], l1, tol=1e-8),
        lambda: glum(x, y, "normal", l1=l1),
    )
    return Contest(ours(losses.half_squared_error, x, y, l1=l1), peers, objective, 1, 1e-9)


def lasso_logistic(rows: int = 50_000, columns: int = 50, l1: float = 0.01) -> Contest:
    """One sparse logistic regression, through the origin, for liblinear penalises an intercept."""
    x, y = sparse(rows, columns, "logistic")

    def objective(coefficients: np.ndarray, i: int) -> float:
        cost = np.mean(np.logaddexp(0, (1 - 2 * y[i]) * linear(x[i], coefficients)))
        return float(cost + l1 * np.abs(coefficients[:-1]).sum())

    by_column = np.asfortranarray(x[0])
    peers = installed(
        lambda: _logistic(x[0], y[0], l1),
        lambda: _skglm("SparseLogisticRegression", by_column, y[0], l1, tol=1e-8, fit_intercept=False),
        lambda: glum(x, y, "binomial", l1=l1, intercept=False),
    )
    run = ours(losses.logistic, x, y, model=models.without_intercept(models.logistic), l1=l1)
    return Contest(run, peers, objective, 1, 1e-9)


def _lasso(x: np.ndarray, y: np.ndarray, l1: float) -> Peers:
    from sklearn.linear_model import Lasso

    def by(precompute: bool) -> Fit:
        model = Lasso(alpha=l1, precompute=precompute, tol=1e-10, max_iter=10_000)
        return lambda i: fitted(model.fit(x, y))

    return {"scikit-learn Lasso": by(False), "scikit-learn Lasso(precompute)": by(True)}


def _logistic(x: np.ndarray, y: np.ndarray, l1: float) -> Peers:
    from sklearn.linear_model import LogisticRegression

    def by(solver: str) -> Fit:
        model = LogisticRegression(
            C=1 / (l1 * len(x)),
            l1_ratio=1,
            solver=solver,
            fit_intercept=False,
            tol=1e-8,
            max_iter=1000,
            random_state=0,
        )
        return lambda i: fitted(model.fit(x, y))

    return {f"scikit-learn LogisticRegression({solver})": by(solver) for solver in ("liblinear", "saga")}


def _skglm(name: str, x: np.ndarray, y: np.ndarray, l1: float, **options: Any) -> Peers:
    import skglm

    model = getattr(skglm, name)(alpha=l1, **options)
    return {f"skglm {name}": lambda i: fitted(model.fit(x, y))}
