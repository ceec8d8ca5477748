"""Classification with one value so large that the rest of its column is nothing beside it."""

import jax
import numpy as np
import pytest
from problems import flat

import lossopt as lo
from lossopt import data, losses, models


N = 200
NAMES = ("logistic", "squared_hinge", "hinge", "softmax_cross_entropy")


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


@pytest.mark.parametrize("name", ["logistic", "hinge"])
def test_in_a_larger_programme_nothing_is_called_what_it_is_not(name):
    loss = losses.get(name)
    inside = jax.jit(lambda d: lo.solve(loss, d))
    assert inside(table(name, 1e4, side=1)).status.good
    for size in (1e11, 1e13, 1e15, 1e100, 1e300):
        for side in (1, -1):
            found = inside(table(name, size, side))
            assert found.status.name in ("out of steps", "stalled")


def three_classes(value, label):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(N, 3))
    targets = np.argmax(features @ rng.normal(size=(3, 3)) + rng.gumbel(size=(N, 3)), axis=1)
    features[3, 1], targets[3] = value, label
    return data.Dataset(features, targets)


@pytest.mark.parametrize(("label", "value"), [(0, 1e20), (1, 1e300), (2, -1e20)])
def test_one_class_may_be_pulled_the_right_way_and_another_not(label, value):
    loss, model = losses.softmax_cross_entropy, models.softmax(3)
    near, far = (lo.solve(loss, three_classes(v, label), model=model) for v in (np.sign(value) * 1e4, value))
    assert near.status.name == "converged"
    assert far.status.name in ("converged", "stalled")
    # The further out, the less it costs to be there; at 1e4 that is nearly nothing.
    assert (far.status.name == "converged") == bool(far.cost <= near.cost * (1 + 1e-9))
    assert far.cost <= lo.solve(loss, three_classes(0.0, label), model=model).cost * 2


def test_in_single_precision_too():
    exact = table("logistic", 1e9, side=1)
    single = jax.tree.map(lambda leaf: leaf.astype(np.float32), exact)
    near, far = (lo.solve(losses.logistic, d) for d in (exact, single))
    assert far.status.name == "converged"
    assert far.cost.dtype == np.float32
    np.testing.assert_allclose(far.cost, near.cost, rtol=1e-6)
    assert jax.jit(lambda d: lo.solve(losses.logistic, d))(single).status.name in ("out of steps", "stalled")


def test_a_column_of_its_own_hides_nothing():
    rng = np.random.default_rng(0)
    features = np.c_[rng.normal(size=(N, 2)), np.arange(N) == 3]
    d = data.Dataset(features, rng.poisson(np.exp(0.4 * features[:, 0]), size=N) + 1.0)
    inside = jax.jit(lambda d: lo.solve(losses.poisson, d))(d)
    assert inside.status.name == lo.solve(losses.poisson, d).status.name == "converged"


@pytest.mark.parametrize("name", ["poisson", "tweedie"])
def test_a_count_of_nothing_may_be_as_far_out_as_it_likes(name):
    rng = np.random.default_rng(0)
    features, loss = rng.normal(size=(N, 2)), losses.get(name)
    counts = rng.poisson(np.exp(0.4 * features[:, 0] - 0.5 * features[:, 1])).astype(float)
    counts[3], found = 0.0, []
    for value in (1e4, 1e12, 1e100, 1e300):
        features[3, 1] = value
        found.append(lo.solve(loss, data.Dataset(features, counts)))
    for far in found[1:]:
        assert far.status.name == "converged"
        np.testing.assert_allclose(far.cost, found[0].cost, rtol=1e-10)
        np.testing.assert_allclose(flat(far), flat(found[0]), rtol=1e-4, atol=1e-6)
        assert 0 <= far.gap <= 1e-9


def test_a_long_table_of_which_a_sample_may_hold_it():
    n, d = 55_000, 40
    rng, costs = np.random.default_rng(0), []
    features = rng.normal(size=(n, d))
    targets = (rng.uniform(size=n) < 1 / (1 + np.exp(features[:, 1] - features[:, 0]))).astype(float)
    for row in (77, 30_000):
        features[row, 0], targets[row] = 0.0, 0.0
    for row, value in ((77, 1e4), (77, 1e30), (30_000, 1e30)):
        here = features.copy()
        here[[77, 30_000], 1] = 1.0
        here[row, 1] = value
        found = lo.solve(losses.squared_hinge, data.Dataset(here, targets))
        assert found.status.name == "converged"
        costs.append(found.cost)
    # One of the two is far out; the other is not the same, but nearly.
    np.testing.assert_allclose(costs[1], costs[0], rtol=1e-10)
    np.testing.assert_allclose(costs[2], costs[0], rtol=1e-3)


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
