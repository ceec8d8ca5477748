"""The tables of the contests: (fits, rows, columns) and targets (fits, rows), the same on every run."""

import numpy as np


def contaminated(fits: int, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Linear data with Gaussian noise, and a tenth of the targets off by 20."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(fits, rows, columns))
    y = x @ np.arange(1.0, columns + 1) / columns + 1 + rng.normal(size=(fits, rows))
    return x, np.where(rng.uniform(size=y.shape) < 0.1, y + 20, y)


def binary(
    fits: int, rows: int, columns: int, *, condition: float = 1.0, level: float = -0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Logistic data, of columns with that condition number and log-odds of `level` on average."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(fits, rows, columns))
    if condition > 1:
        turn = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
        x = x @ (turn * np.geomspace(1, 1 / condition, columns)) @ turn.T
    chance = 1 / (1 + np.exp(-(x @ np.linspace(-1, 1, columns) + level)))
    return x, (rng.uniform(size=chance.shape) < chance).astype(float)


def log_linear(rows: int, columns: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Poisson counts or gamma amounts, whose log mean is linear with a spread of about a half."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, rows, columns))
    mean = np.exp(x @ np.linspace(-1, 1, columns) / np.sqrt(columns) + 0.5)
    return x, rng.poisson(mean).astype(float) if kind == "poisson" else rng.gamma(2.0, mean / 2)


def sparse(rows: int, columns: int, kind: str, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Linear or logistic data of which a share of the columns matters."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, rows, columns))
    active = max(1, round(share * columns))
    weights = np.zeros(columns)
    weights[:active] = np.linspace(-1, 1, active)
    scores = x @ weights
    if kind == "linear":
        return x, scores + 1 + rng.normal(size=scores.shape)
    return x, (rng.uniform(size=scores.shape) < 1 / (1 + np.exp(-scores))).astype(float)
