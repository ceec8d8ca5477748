"""Losses that `solve` treats alike: one programme in a sweep, in which each ends as it does alone."""

import importlib

import jax
import numpy as np
import pytest
from problems import problem

import lossopt as lo
from lossopt import data, losses, models


PENALTIES = np.array([0.0, 0.1])
SETS = [problem(seed) for seed in range(5)]
ALIKE = {
    "huber": losses.huber,
    "wide": lo.bind(losses.huber, delta=3.0),
    "lad": losses.absolute_error,
    "log cosh": losses.log_cosh,
    "third": lo.bind(losses.quantile, level=0.3),
    "cauchy": losses.cauchy,
    "swept": lo.bind(losses.huber, delta=np.array([0.3, 1.0, 3.0])),
}


def test_losses_that_are_treated_alike_are_one_programme(monkeypatch):
    made, module = [], importlib.import_module("lossopt.sweep._fits")
    original = module.Programme
    monkeypatch.setattr(module, "Programme", lambda recipe: made.append(recipe) or original(recipe))
    together = lo.sweep(ALIKE, SETS, l2=PENALTIES)
    assert [len(recipe.losses) for recipe in made] == [3, 2, 1, 1]
    for name, loss in ALIKE.items():
        alone = lo.sweep({name: loss}, SETS, l2=PENALTIES)[name]
        for found, expected in zip(jax.tree.leaves(together[name]), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)


HALF = losses.mixture({losses.huber: 0.5, losses.log_cosh: 0.5})
INSENSITIVE = lo.bind(losses.epsilon_insensitive, epsilon=0.3)
LEVELS = lo.bind(losses.multi_quantile, levels=(0.2, 0.5, 0.8))
TOGETHER = {
    "margins": (losses.logistic, losses.exponential, losses.squared_hinge),
    "squares": (losses.squared_error, losses.huber),
    "hinges": (losses.hinge, losses.perceptron),
    "lines": (losses.absolute_error, losses.epsilon_insensitive),
    "scales": (losses.laplace_nll, losses.gaussian_nll, losses.scaled(losses.laplace_nll, 2.0)),
    "counts": (losses.poisson, losses.negative_binomial),
    "redescending": (losses.truncated_quadratic, losses.cauchy),
    "cut off": (losses.clipped(losses.huber, 1.0), losses.tukey),
    "sums": (losses.huber, HALF, losses.smoothed(losses.absolute_error, 0.5)),
    "parabolas": (losses.mixture({losses.squared_error: 1.0}), losses.asymmetric(losses.huber, 0.2)),
    "of several classes": (losses.crammer_singer, losses.weston_watkins),
    "a dead zone and its double": (INSENSITIVE, losses.scaled(INSENSITIVE, 2.0)),
    "quantiles": (lo.bind(losses.multi_quantile), LEVELS),
    "ramps": (losses.ramp, losses.ramp),
    "shares": (
        losses.symmetric_absolute_percentage_error,
        losses.scaled(losses.symmetric_absolute_percentage_error, 100.0),
    ),
}


def posed(loss):
    """A problem for a loss, and the model for it."""
    d, card = SETS[0], losses.card(loss)
    if card.task == "binary":
        return data.Dataset(d.features, (d.targets > np.median(d.targets)).astype(float)), models.linear
    if card.task == "multiclass":
        return data.Dataset(d.features, np.arange(40) % 3), models.softmax(3)
    if card.task == "count":
        return data.Dataset(d.features, np.floor(np.abs(d.targets))), models.linear
    return d, models.linear if card.prediction == "real" else models.multi_output(losses.length(loss))


@pytest.mark.parametrize("l1", [0.0, 0.1])
@pytest.mark.parametrize("name", TOGETHER)
def test_every_loss_is_solved_as_it_is_alone(name, l1):
    several = dict(zip("abc", TOGETHER[name], strict=False))
    d, model = posed(TOGETHER[name][0])
    options = {"model": model, "l2": 0.1} | ({"l1": l1} if l1 else {})
    try:
        alone = {key: lo.solve(loss, d, **options) for key, loss in several.items()}
    except ValueError as error:
        with pytest.raises(ValueError, match=str(error)[:40]):
            lo.sweep(several, d, **options)
        return
    together = lo.sweep(several, d, **options)
    for key, one in alone.items():
        np.testing.assert_allclose(together[key].cost[0], one.cost, rtol=1e-9, atol=1e-15)
        assert together[key].status.code[0] == one.status.code
        assert np.isfinite(together[key].gap[0]) == np.isfinite(one.gap)
