"""L-BFGS, which goes first where there are several scores, and alone where the Hessian would be too large."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lossopt as lo
from lossopt import data, losses, models
from lossopt.status import Status


def test_newton_takes_over_where_lbfgs_falls_short():
    # Skewed columns and a class for nearly all: curvatures that differ by orders of magnitude.
    rng = np.random.default_rng(0)
    features = np.exp(rng.normal(size=(3000, 12)) / 3 + rng.normal(size=(3000, 1)))
    scores = (features - features.mean(0)) @ rng.normal(size=(12, 4))
    labels = np.where(rng.uniform(size=3000) < 0.95, 0, (scores + rng.gumbel(size=(3000, 4))).argmax(1))
    d, options = data.Dataset(features, labels), {"model": models.softmax(4)}
    solve = functools.partial(lo.solve, losses.softmax_cross_entropy, **options)
    by_newton, alone = solve(d, method="newton"), solve(d, method="lbfgs", max_iterations=80)
    assert alone.status.code == Status.OUT_OF_STEPS
    for found in (solve(d), jax.jit(solve)(d)):
        assert found.status.code == Status.CONVERGED
        assert 80 < found.iterations < 110
        np.testing.assert_allclose(found.cost, by_newton.cost, rtol=1e-13)
    assert solve(d, max_iterations=60).iterations == 60
    assert solve(d, max_iterations=81).iterations == 81


def test_many_coefficients_of_a_swept_loss():
    features = np.random.default_rng(0).normal(size=(450, 410))
    d, deltas = data.Dataset(features, features[:, 0] ** 2), jnp.array([0.5, 2.0])
    swept = jax.vmap(lambda delta: lo.solve(losses.bind(losses.huber, delta=delta), d, l2=0.1))(deltas)
    for delta, cost in zip(deltas, swept.cost, strict=True):
        alone = lo.solve(losses.bind(losses.huber, delta=float(delta)), d, l2=0.1)
        np.testing.assert_allclose(cost, alone.cost, rtol=1e-9)


@pytest.mark.parametrize(
    ("case", "columns"),
    [
        ("a class that is nobody's", 10),
        ("a class without weight", 10),
        ("a class in its own corner", 10),
        ("a column of one class", 10),
        # So many coefficients that Newton's method does not begin anew unless it must.
        ("a class that is nobody's", 110),
        ("a column of one class", 110),
    ],
)
def test_slopes_that_fade_are_no_minimum(case, columns):
    rng = np.random.default_rng(0)
    n = 40 * columns
    features = rng.normal(size=(n, columns))
    labels = (features @ rng.normal(size=(columns, 4)) / 3 + 4 * rng.gumbel(size=(n, 4))).argmax(1)
    weights = None
    if case == "a class in its own corner":
        features = np.where((labels == 0)[:, None], np.abs(features) + 1, -np.abs(features))
    elif case == "a class without weight":
        weights = (labels != 2).astype(float)
    elif case == "a column of one class":
        features[:, 0] = np.where(labels == 1, rng.exponential(size=n) * (rng.uniform(size=n) < 0.2), 0)
    else:
        labels = np.where(labels == 3, 0, labels)
    d = data.Dataset(features, labels, weights)
    solve = functools.partial(lo.solve, losses.softmax_cross_entropy, model=models.softmax(4))
    assert solve(d).status.name == "no finite minimiser"
    if columns == 10:
        if case == "a column of one class":
            assert jax.jit(solve)(d).status.name == "no finite minimiser"
        # By itself, L-BFGS may know no more than that it is not sure.
        assert solve(d, method="lbfgs").status.name in ("no finite minimiser", "stalled")


def test_slopes_that_fade_far_from_the_boundary_are_no_doubt():
    rng = np.random.default_rng(0)
    features = 10 * rng.normal(size=(4000, 10))
    labels = (features @ rng.normal(size=(10, 4)) + 4 * rng.gumbel(size=(4000, 4))).argmax(1)
    solve = functools.partial(lo.solve, losses.softmax_cross_entropy, data.Dataset(features, labels))
    found = solve(model=models.softmax(4), method="lbfgs")
    slopes = jax.nn.softmax(features @ found.params.weights + found.params.bias[None])
    assert np.mean(slopes < 1e-6) > 0.1
    assert found.status.code == Status.CONVERGED
    np.testing.assert_allclose(found.cost, solve(model=models.softmax(4), method="newton").cost, rtol=1e-13)


def test_an_example_far_out_is_left_to_newton():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 10))
    labels = (features @ rng.normal(size=(10, 4)) / 3 + rng.gumbel(size=(200, 4))).argmax(1)
    features[0, 0] = 1e9
    d = data.Dataset(features, labels)
    solve = functools.partial(lo.solve, losses.softmax_cross_entropy, d, model=models.softmax(4))
    found, by_newton = solve(), solve(method="newton")
    assert found.cost < by_newton.cost * (1 + 1e-4)
    assert found.status.name != "converged" or found.cost < by_newton.cost * (1 + 1e-10)
