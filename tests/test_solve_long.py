"""Piecewise-linear losses of long tables, most rows of which count as their mean: what the whole table gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import forget

import lossopt as lo
from lossopt import data, losses, models
from lossopt.solve import _blocks, _cleaned, _programme as module, aggregation


ROWS, COLUMNS = 6000, 3


@pytest.fixture(scope="module")
def way(request):
    """Every table of 6000 rows is long enough, and gone through in blocks of 700 rows or not."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(aggregation, "_LONG", 1)
        if request.param == "blocks":
            patched.setattr(_blocks, "BLOCK", 700 * COLUMNS)
            patched.setattr(_cleaned, "LARGE", 1)
        forget()
        yield request.param
    forget()


each_way = pytest.mark.parametrize("way", ["whole", "blocks"], indirect=True, scope="module")
in_blocks = pytest.mark.parametrize("way", ["blocks"], indirect=True, scope="module")


def table(loss):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, COLUMNS)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 0.0]
    score = features @ [1.0, -0.1, 5.0] + rng.standard_t(2, size=ROWS)
    if losses.claims(loss).task == "binary":
        return data.Dataset(features, (score > 0).astype(float))
    return data.Dataset(features, score, rng.integers(0, 3, ROWS).astype(float))


CASES = [
    ("whole", lo.bind(losses.quantile, level=0.9), {}),
    ("whole", losses.hinge, {"model": models.without_intercept(models.logistic), "l2": 0.01}),
    ("blocks", losses.absolute_error, {"l2": 0.1}),
    ("blocks", lo.bind(losses.epsilon_insensitive, epsilon=0.5), {}),
    ("blocks", losses.hinge, {"model": models.logistic}),
    ("blocks", losses.multi_quantile, {"model": models.multi_output(3)}),
]


@in_blocks
def test_what_the_last_round_cost_is_not_computed_again(way, monkeypatch):
    monkeypatch.setattr(module, "solution_alone", None)
    loss = lo.bind(losses.quantile, level=0.9)
    d = table(loss)
    found = lo.solve(loss, d, l2=0.01)
    left = d.targets - d.features @ np.asarray(found.params.weights) - float(found.params.bias)
    own = d.weights / d.weights.sum() @ np.where(left > 0, 0.9 * left, -0.1 * left)
    np.testing.assert_allclose(found.cost, own + 0.005 * np.sum(found.params.weights**2), rtol=1e-14)


@pytest.mark.parametrize(("way", "loss", "options"), CASES, indirect=["way"], scope="module")
def test_most_rows_are_not_looked_at_and_the_answer_is_that_of_all(way, loss, options, solved):
    d = table(loss)
    found = lo.solve(loss, d, **options)
    assert solved == ["aggregation"]
    whole = jax.jit(lambda d: lo.solve(loss, d, **options))(data.validate(d))
    assert solved == ["aggregation", "interior_point"]
    assert found.status.name == whole.status.name == "converged"
    np.testing.assert_allclose(found.cost, whole.cost, rtol=1e-9)
    assert 0 <= found.gap <= 1e-9 * found.cost
    for left, right in zip(jax.tree.leaves(found.params), jax.tree.leaves(whole.params), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-8)


@each_way
def test_a_sample_that_errs_by_more_than_the_kept_rows_reach_leads_there_all_the_same(way, solved):
    # Almost no signal: from the sample's answer the kept rows' own is so far that most signs would change.
    for seed in (3, 4, 6, 11):
        rng = np.random.default_rng(seed)
        features = rng.normal(size=(ROWS, COLUMNS))
        targets = rng.uniform(size=ROWS) < 1 / (1 + np.exp(-0.3 * np.sum(features, axis=1)))
        found = lo.solve(losses.hinge, data.Dataset(features, targets.astype(float)), model=models.logistic)
        assert found.status.name == "converged"
        assert 0 <= found.gap <= 1e-9 * found.cost
    # It is traced once, and no other method ever.
    assert solved == ["aggregation"]


@in_blocks
def test_a_rough_answer_is_no_further_from_the_best_than_it_says(way):
    d = table(losses.absolute_error)
    best = lo.solve(losses.absolute_error, d)
    for tolerance in (1e-1, 1e-2, 1e-4):
        rough = lo.solve(losses.absolute_error, d, tolerance=tolerance)
        assert 0 <= rough.cost - best.cost <= rough.gap
        assert rough.gap <= 25 * tolerance * rough.cost


@each_way
def test_a_table_with_too_many_rows_on_a_kink_is_solved_whole(way, solved):
    rng = np.random.default_rng(2)
    features = rng.integers(0, 3, (ROWS, COLUMNS)).astype(float)
    d = data.Dataset(features, rng.binomial(3, 0.3 + 0.2 * features[:, 0] / 2).astype(float))
    found = lo.solve(losses.absolute_error, d._replace(features=data.Stored(features)) if way == "blocks" else d)
    assert solved == ["aggregation", "interior_point"]
    whole = jax.jit(lambda d: lo.solve(losses.absolute_error, d))(data.validate(d))
    np.testing.assert_allclose(found.cost, whole.cost, rtol=1e-9)
    assert found.status.name == whole.status.name


@in_blocks
def test_dependent_columns_give_the_smallest_weights(way):
    d = table(losses.absolute_error)
    twice = d._replace(features=np.concatenate([d.features, d.features[:, :1]], axis=1))
    one, both = lo.solve(losses.absolute_error, d), lo.solve(losses.absolute_error, twice)
    assert both.status.name == "minimum norm"
    np.testing.assert_allclose(both.params.weights[jnp.array([0, 3])], 2 * [one.params.weights[0] / 2], rtol=1e-6)


@in_blocks
def test_a_stored_table_is_read_by_the_block(way):
    class Sliced:
        """Rows by slices, which notes the longest."""

        def __init__(self, rows):
            self.rows, self.shape, self.dtype, self.longest = rows, rows.shape, rows.dtype, 0

        def __getitem__(self, rows):
            self.longest = max(self.longest, len(self.rows[rows]))
            return self.rows[rows]

    d = table(losses.absolute_error)
    rows = Sliced(d.features)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(data._stored, "_BLOCK", 900 * COLUMNS)
        stored = lo.solve(losses.absolute_error, d._replace(features=data.Stored(rows)))
    assert rows.longest <= 900
    np.testing.assert_allclose(stored.params.weights, lo.solve(losses.absolute_error, d).params.weights, rtol=1e-6)
