"""Generalised linear models of a log mean. The objective is half the mean deviance, which is never negative."""

import numpy as np

from lossopt import losses

from ._contest import Contest, Fit, fitted, glum, GRADIENT, installed, linear, ours, Peers, statsmodels_glm
from ._tables import log_linear


def poisson_large(rows: int = 500_000, columns: int = 50) -> Contest:
    """One Poisson regression of a long table."""
    from scipy.special import xlogy

    x, y = log_linear(rows, columns, "poisson")

    def objective(coefficients: np.ndarray, i: int) -> float:
        score = linear(x[i], coefficients)
        return float(np.mean(xlogy(y[i], y[i]) - y[i] * (score + 1) + np.exp(score)))

    peers = installed(
        lambda: _sklearn(x, y, "PoissonRegressor"),
        lambda: glum(x, y, "poisson"),
        lambda: statsmodels_glm(x, y, "Poisson"),
    )
    return Contest(ours(losses.poisson, x, y, tolerance=GRADIENT), peers, objective, 1, 1e-9)


def gamma_large(rows: int = 500_000, columns: int = 50) -> Contest:
    """One gamma regression of a long table."""
    x, y = log_linear(rows, columns, "gamma")

    def objective(coefficients: np.ndarray, i: int) -> float:
        apart = np.log(y[i]) - linear(x[i], coefficients)
        return float(np.mean(np.expm1(apart) - apart))

    peers = installed(
        lambda: _sklearn(x, y, "GammaRegressor"),
        lambda: glum(x, y, "gamma"),
        lambda: statsmodels_glm(x, y, "Gamma", "Log"),
    )
    return Contest(ours(losses.gamma, x, y, tolerance=GRADIENT), peers, objective, 1, 1e-9)


def _sklearn(x: np.ndarray, y: np.ndarray, name: str) -> Peers:
    from sklearn import linear_model

    def by(solver: str) -> Fit:
        model = getattr(linear_model, name)(alpha=0, solver=solver, tol=GRADIENT, max_iter=1000)
        return lambda i: fitted(model.fit(x[i], y[i]))

    return {f"scikit-learn {name}({solver})": by(solver) for solver in ("newton-cholesky", "lbfgs")}
