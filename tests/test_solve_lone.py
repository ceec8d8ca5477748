"""Classification with one value so large that the rest of its column is nothing beside it."""

import jax
import numpy as np
import pytest
from problems import flat

import lossopt as lo
from lossopt import data, losses, models


N = 200
NAMES = ("logistic", "probit", "squared_hinge", "hinge", "softmax_cross_entropy")


def table(name, value, side):
    """Noisy classes, and in one example of the class on that `side` a value where the others have theirs near 0."""
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 2))
    targets = (rng.uniform(size=N) < 1 / (1 + np.exp(features[:, 1] - features[:, 0]))).astype(float)
    features[3, 1], targets[3] = value, float(side * value < 0)
    return data.Dataset(features, targets.astype(int) if name.startswith("softmax") else targets)


def model_of(name):
    return models.softmax(2) if name.startswith("softmax") else models.linear


@pytest.mark.parametrize("name", NAMES)
def test_a_value_on_the_right_side_may_be_as_large_as_it_likes(name):
    loss, model = losses.get(name), model_of(name)
    near = lo.solve(loss, table(name, 1e4, side=1), model=model)
    for value in (1e9, -1e9, 1e13, 1e100, 1e300, -1e300):
        far = lo.solve(loss, table(name, value, side=1), model=model)
        # At 1e4 as well the example costs nothing, whichever side of 0 it is on.
        assert far.status.name == near.status.name == "converged"
        np.testing.assert_allclose(far.cost, near.cost, rtol=1e-10)
        np.testing.assert_allclose(flat(far), flat(near), rtol=1e-4, atol=1e-6)
        assert far.gap <= 1e-9 * far.cost


@pytest.mark.parametrize("name", ["logistic", "hinge"])
def test_on_the_wrong_side_it_takes_the_coefficient_for_itself(name):
    for value in (1e13, 1e300):
        far = lo.solve(losses.get(name), table(name, value, side=-1))
        assert far.status.name in ("converged", "not unique", "out of steps")
        assert abs(far.params.weights[1]) * value < 1e5
        rest = lo.solve(losses.get(name), jax.tree.map(lambda leaf: np.delete(leaf, 3, 0), table(name, value, side=-1)))
        assert far.cost > rest.cost * (N - 1) / N


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_penalties_are_those_of_the_whole_table(penalty):
    near, far = (
        lo.solve(losses.logistic, table("logistic", value, side=1), **{penalty: 0.01}) for value in (1e4, 1e13)
    )
    np.testing.assert_allclose(far.cost, near.cost, rtol=1e-9)


def test_two_such_values_in_two_columns():
    near, far = (table("logistic", value, side=1) for value in (1e4, 1e12))
    for d, value in ((near, 1e4), (far, 1e14)):
        d.features[5, 0], d.targets[5] = value, 1.0
    one, other = lo.solve(losses.logistic, near), lo.solve(losses.logistic, far)
    assert other.status.name == "converged"
    np.testing.assert_allclose(other.cost, one.cost, rtol=1e-10)


def test_an_example_with_a_column_of_its_own_separates():
    d = table("logistic", 0.0, side=1)
    alone = np.zeros(N)
    alone[7] = 1.0
    found = lo.solve(losses.logistic, d._replace(features=np.c_[d.features, alone]))
    assert found.status.name == "no finite minimiser"


@pytest.mark.parametrize("size", [1e11, 1e13, 1e15])
def test_in_a_larger_programme_nothing_is_called_what_it_is_not(size):
    d = table("logistic", size, side=1)
    found = jax.jit(lambda d: lo.solve(losses.logistic, d))(d)
    assert found.status.name == "out of steps"


def test_one_against_the_rest_is_not_indifferent_to_equal_changes():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, 3))
    d = data.Dataset(features, np.argmax(features + rng.gumbel(size=(N, 3)), axis=1))
    found = lo.solve(losses.one_versus_rest, d, model=models.softmax(3))
    each = [
        lo.solve(losses.logistic, d._replace(targets=(d.targets == k).astype(float)), model=models.logistic)
        for k in range(3)
    ]
    assert found.status.name == "converged"
    assert found.iterations < 10
    np.testing.assert_allclose(found.cost, sum(one.cost for one in each), rtol=1e-13)
    np.testing.assert_allclose(found.params.weights, np.stack([one.params.weights for one in each], 1), rtol=1e-7)
