"""Huber fits. Peers that estimate the scale of the noise as well give the threshold at which ours is then solved."""

from collections.abc import Sequence

import numpy as np

from lossopt import losses

from ._contest import constant_last, Contest, fitted, GRADIENT, installed, linear, Objective, ours, Peers, SAMPLE
from ._tables import contaminated


def huber_many(fits: int = 2000, rows: int = 200, columns: int = 6) -> Contest:
    """Huber fits of contaminated tables, at the threshold that HuberRegressor finds."""
    from sklearn.linear_model import HuberRegressor

    x, y = contaminated(fits, rows, columns)
    model = HuberRegressor(alpha=0, tol=1e-8, max_iter=1000)
    found = [1.35 * model.fit(x[i], y[i]).scale_ for i in range(min(fits, SAMPLE))]
    # A sample has its own thresholds, the others that of the first.
    delta = np.append(found, np.full(fits - len(found), found[0]))

    def regressor(i: int) -> np.ndarray:
        return fitted(model.fit(x[i], y[i]))

    peers = installed(lambda: {"scikit-learn HuberRegressor": regressor}, lambda: _rlm(x, y, delta))
    # Residuals are compared with 1 in units of the threshold.
    scaled = ours(losses.huber, x, y / delta[:, None])
    return Contest(lambda: scaled() * delta[:, None], peers, _objective(x, y, delta), fits)


def huber_large(rows: int = 500_000, columns: int = 50) -> Contest:
    """One Huber fit of a long table, at a threshold of 1; SciPy is asked for the same gradient as we are."""
    x, y = contaminated(1, rows, columns)
    peers = installed(lambda: _rlm(x, y, [1.0]), lambda: _lbfgs(x[0], y[0]), lambda: _sgd(x[0], y[0]))
    return Contest(ours(losses.huber, x, y, tolerance=GRADIENT), peers, _objective(x, y, [1.0]), 1, 1e-9)


def _objective(x: np.ndarray, y: np.ndarray, delta: Sequence[float] | np.ndarray) -> Objective:
    def objective(coefficients: np.ndarray, i: int) -> float:
        size, d = np.abs(linear(x[i], coefficients) - y[i]), delta[i]
        return float(np.mean(np.where(size <= d, size**2 / 2, d * (size - d / 2))))

    return objective


def _rlm(x: np.ndarray, y: np.ndarray, delta: Sequence[float] | np.ndarray) -> Peers:
    import statsmodels.api as sm

    designs = [sm.add_constant(table) for table in x[:SAMPLE]]

    def fit(i: int) -> np.ndarray:
        # At the threshold given: a scale of 1, held.
        unit = sm.RLM(y[i], designs[i], M=sm.robust.norms.HuberT(t=delta[i]))
        unit._estimate_scale = lambda *_: 1.0
        return constant_last(unit.fit(update_scale=False, tol=1e-10, maxiter=500).params)

    return {"statsmodels RLM": fit}


def _lbfgs(x: np.ndarray, y: np.ndarray) -> Peers:
    from scipy.optimize import minimize

    def both(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        residual = linear(x, coefficients) - y
        slope = np.clip(residual, -1, 1)
        value = float(np.mean(slope * (residual - slope / 2)))
        return value, np.append(x.T @ slope, slope.sum()) / len(x)

    def fit(i: int) -> np.ndarray:
        options = {"maxiter": 1000, "gtol": GRADIENT, "ftol": 1e-15}
        return minimize(both, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options=options).x

    return {"SciPy L-BFGS-B": fit}


def _sgd(x: np.ndarray, y: np.ndarray) -> Peers:
    from sklearn.linear_model import SGDRegressor

    steps = {"learning_rate": "adaptive", "eta0": 0.01, "tol": 1e-6, "max_iter": 100}
    model = SGDRegressor(loss="huber", epsilon=1.0, penalty=None, random_state=0, **steps)
    return {"scikit-learn SGDRegressor(huber)": lambda i: fitted(model.fit(x, y))}
