"""Small data sets, all of one shape so that tests share compilations, and fits to them with the model that suits."""

import jax
import numpy as np

import lossopt as lo
from lossopt import data, losses, models
from lossopt.solve import _programme


def problem(seed, loss=losses.huber, n=40, d=3):
    """A data set for the loss: heavy-tailed noise, or classes that overlap."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, d)) + [1.0, 0.0, -2.0][:d]
    score = features @ np.linspace(1, 2, d) + rng.standard_t(2, size=n)
    task = losses.claims(loss).task
    return data.Dataset(features, score if task == "regression" else (score > np.median(score)).astype(int))


def model_of(loss):
    """A straight line, or a logit."""
    return models.linear if losses.claims(loss).task == "regression" else models.logistic


def fitted(loss, d, **options):
    """The exact solution."""
    return lo.solve(loss, d, model=model_of(loss), **options)


def flat(solution):
    """All coefficients, weights first."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(solution.params)])


def forget():
    """Compile every fit anew, with other sizes of blocks, say; what JAX compiled of its own stays."""
    for programme in vars(_programme).values():
        if hasattr(programme, "clear_cache"):
            programme.clear_cache()
