"""A contest: one piece of work, ours and that of peers, and the objective by which each is judged.

Beside it is what several contests share: how coefficients are read from a fit, and the peers that fit many families.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lossopt import losses, models
from lossopt.data import Dataset
from lossopt.solve import solve
from lossopt.sweep import sweep


# Of many fits, so many are given to each peer.
SAMPLE = 25

# The size of a gradient that ours and its peers are asked for, of a long table.
GRADIENT = 1e-8

# One fit by its number: coefficients, the intercept last.
Fit = Callable[[int], np.ndarray]
Peers = Mapping[str, Fit]
Objective = Callable[[np.ndarray, int], float]


class Contest(NamedTuple):
    """One piece of work.

    Attributes:
        ours: all fits at once: (fits, coefficients), the intercept last, 0 where there is none.
        peers: name -> one fit by its number, of which only the first `SAMPLE` are asked.
        objective: of the coefficients of one fit, by its number; positive.
        fits: how many there are.
        tolerance: how far behind a peer may be for its time to count, relative to the objective.
    """

    ours: Callable[[], Any]
    peers: Peers
    objective: Objective
    fits: int = 1
    tolerance: float = 1e-6


def linear(features: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """The scores of a table."""
    return features @ coefficients[:-1] + coefficients[-1]


def fitted(estimator: Any) -> np.ndarray:
    """The coefficients of an estimator of scikit-learn's kind, which has an intercept of 0 where it fits none."""
    return np.append(np.ravel(estimator.coef_), np.ravel(estimator.intercept_))


def constant_last(found: np.ndarray) -> np.ndarray:
    """The coefficients of a design to which statsmodels has added a constant, in front."""
    return np.append(found[1:], found[0])


def installed(*groups: Callable[[], Peers]) -> Peers:
    """The peers of those groups whose library there is; a line on stderr names what is not."""
    found: dict[str, Fit] = {}
    for group in groups:
        try:
            found |= group()
        except ImportError as error:
            print(f"{error.name or error} is not installed: left out.", file=sys.stderr)
    return found


def ours(loss: losses.Loss, x: np.ndarray, y: np.ndarray, **options: Any) -> Callable[[], Any]:
    """All fits of stacked tables: one `solve` of a single one, a `sweep` of many."""
    if len(x) > 1:
        return lambda: _stacked(sweep({"all": loss}, Dataset(x, y), **options)["all"].params)
    on_device = jax.device_put((x[0], y[0]))
    return lambda: _stacked(solve(loss, Dataset(*on_device), **options).params)[None]


def _stacked(params: models.Params) -> Any:
    bias = jnp.zeros_like(params.weights[..., 0]) if params.bias is None else params.bias
    return jnp.concatenate([params.weights, bias[..., None]], axis=-1)


def glum(x: np.ndarray, y: np.ndarray, family: str, *, l1: float = 0.0, intercept: bool = True) -> Peers:
    """glum's generalised linear models, whose objective is half the mean deviance, and the penalty."""
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(
        family=family,
        alpha=l1,
        l1_ratio=int(l1 > 0),
        fit_intercept=intercept,
        gradient_tol=GRADIENT,
        max_iter=1000,
    )
    return {f"glum {family}": lambda i: fitted(model.fit(x[i], y[i]))}


def statsmodels_glm(x: np.ndarray, y: np.ndarray, family: str, link: str | None = None) -> Peers:
    """statsmodels' generalised linear models, without a penalty."""
    import statsmodels.api as sm

    of_family = getattr(sm.families, family)(getattr(sm.families.links, link)() if link else None)
    designs = [sm.add_constant(table) for table in x[:SAMPLE]]

    def fit(i: int) -> np.ndarray:
        return constant_last(sm.GLM(y[i], designs[i], family=of_family).fit(tol=1e-10).params)

    return {f"statsmodels GLM {family}": fit}
