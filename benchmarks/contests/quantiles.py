"""Quantiles, of many small tables and of a long one."""

import numpy as np

from lossopt import losses

from ._contest import constant_last, Contest, fitted, installed, linear, Objective, ours, Peers, SAMPLE
from ._tables import contaminated


def lad_many(fits: int = 2000, rows: int = 200, columns: int = 6) -> Contest:
    """Least absolute deviations of contaminated tables."""
    return _contest(*contaminated(fits, rows, columns), level=0.5)


def quantile_large(rows: int = 20_000, columns: int = 20) -> Contest:
    """The median of a long table."""
    return _contest(*contaminated(1, rows, columns), level=0.5)


def _contest(x: np.ndarray, y: np.ndarray, level: float) -> Contest:
    peers = installed(lambda: _highs(x, y, level), lambda: _quantreg(x, y, level))
    return Contest(ours(losses.bind(losses.quantile, level=level), x, y), peers, _pinball(x, y, level), len(x), 1e-9)


def _pinball(x: np.ndarray, y: np.ndarray, level: float) -> Objective:
    def objective(coefficients: np.ndarray, i: int) -> float:
        r = y[i] - linear(x[i], coefficients)
        return float(np.mean(np.where(r > 0, level * r, (level - 1) * r)))

    return objective


def _highs(x: np.ndarray, y: np.ndarray, level: float) -> Peers:
    from sklearn.linear_model import QuantileRegressor

    # The linear programme goes to SciPy's HiGHS as it is.
    model = QuantileRegressor(quantile=level, alpha=0, solver="highs")
    return {"scikit-learn QuantileRegressor": lambda i: fitted(model.fit(x[i], y[i]))}


def _quantreg(x: np.ndarray, y: np.ndarray, level: float) -> Peers:
    import statsmodels.api as sm

    designs = [sm.add_constant(table) for table in x[:SAMPLE]]

    def fit(i: int) -> np.ndarray:
        return constant_last(sm.QuantReg(y[i], designs[i]).fit(q=level, p_tol=1e-10, max_iter=5000).params)

    return {"statsmodels QuantReg": fit}
