"""From losses to one number: shapes, reductions, weights, masks, sums of costs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lossopt as lo
from benchmarks.batches import batch
from lossopt import losses


REDUCTIONS = {"mean": lo.mean, "total": lo.total, "root_mean": lo.root_mean}


def example(loss_name: str, rows: int = 6):
    """Predictions and targets of a batch that the loss accepts."""
    predictions, targets = batch(loss_name, rows)
    return jnp.asarray(predictions), jnp.asarray(targets)


KEEP = jnp.array([True, False, True, True, False, True])


def left_out(batch_cost, predictions, targets, how):
    """Cost and gradient where the rows not kept hold NaN and an illegal target, and those of the kept rows alone."""
    rows = KEEP.reshape(-1, *(1,) * (predictions.ndim - 1))
    spoiled = jnp.where(rows, predictions, jnp.nan)
    illegal = jnp.where(KEEP.reshape(-1, *(1,) * (targets.ndim - 1)), targets, jnp.asarray(-7, targets.dtype))
    options = {"where": KEEP} if how == "where" else {"weights": KEEP.astype(float)}
    found = jax.value_and_grad(lambda p: batch_cost(p, illegal, **options))(spoiled)
    kept = np.flatnonzero(KEEP)
    return found, jax.value_and_grad(lambda p: batch_cost(p, targets[kept]))(predictions[kept])


def assert_left_out(found, expected):
    (value, gradient), (expected_value, by_row) = found, expected
    np.testing.assert_allclose(value, expected_value, rtol=1e-14)
    np.testing.assert_allclose(gradient[KEEP], by_row, rtol=1e-13)
    assert not jnp.any(gradient[~KEEP])


def kind(name):
    card = losses.claims(losses.get(name))
    return card.prediction, str(card.target)


# One loss of each kind of arguments: what makes a batch of losses depends on nothing else.
KINDS = list({kind(name): name for name in losses.names()}.values())


@functools.cache
def of_every_kind():
    """What the tests below ask of every kind of loss, compiled as one programme."""

    def one(name, predictions, targets):
        loss = losses.get(name)
        fold = lambda x: x.reshape(2, 3, *x.shape[1:])  # noqa: E731
        return {
            "rows": jnp.stack([loss(predictions[i], targets[i]) for i in (0, 4)]),
            "batch": lo.per_example(loss)(predictions, targets),
            "folded": lo.per_example(loss)(fold(predictions), fold(targets)),
            "left out": left_out(lo.cost(loss), predictions, targets, "where"),
        }

    given = {name: example(name) for name in KINDS}
    return jax.jit(lambda given: {name: one(name, *pair) for name, pair in given.items()})(given)


@pytest.mark.parametrize("name", KINDS)
def test_a_batch_is_the_loss_of_each_row_whatever_its_axes(name):
    found = of_every_kind()[name]
    np.testing.assert_allclose(found["batch"][jnp.array([0, 4])], found["rows"], rtol=1e-13)
    np.testing.assert_allclose(found["folded"].ravel(), found["batch"], rtol=1e-13)


@pytest.mark.parametrize("name", KINDS)
def test_a_row_left_out_may_hold_anything(name):
    assert_left_out(*of_every_kind()[name]["left out"])


@pytest.mark.parametrize("reduction", REDUCTIONS.values(), ids=REDUCTIONS)
def test_the_slope_in_a_weight_of_0_is_that_beside_it(reduction):
    predictions, targets = jnp.array([1.0, 2.0, 3.0, 0.5]), jnp.zeros(4)
    by_weights = jax.jit(jax.grad(lambda w: lo.cost(losses.squared_error, reduction)(predictions, targets, weights=w)))
    found, beside = by_weights(jnp.array([1.0, 0.0, 1.0, 2.0])), by_weights(jnp.array([1.0, 1e-9, 1.0, 2.0]))
    np.testing.assert_allclose(found, beside, rtol=1e-7, atol=1e-7)


def test_the_slope_in_a_weight_of_0_says_nothing_of_what_cannot_be_counted():
    """A row that is masked has no slope, and one whose loss is no number that of a loss of 0."""
    predictions, where = jnp.array([1.0, jnp.nan, 3.0, 5.0]), jnp.array([True, True, True, False])

    def by_weights(weights):
        return lo.mse(predictions, jnp.zeros(4), weights=weights, where=where)

    np.testing.assert_allclose(jax.grad(by_weights)(jnp.array([1.0, 0.0, 1.0, 1.0])), [-2.0, -2.5, 2.0, 0.0])


@pytest.mark.parametrize("how", ["where", "weight 0"])
@pytest.mark.parametrize("reduction", REDUCTIONS.values(), ids=REDUCTIONS)
def test_a_row_left_out_is_out_of_every_reduction(reduction, how):
    batch_cost = lo.cost(losses.huber, reduction)
    assert_left_out(*jax.jit(lambda p, t: left_out(batch_cost, p, t, how))(*example("huber")))


def test_reductions_by_hand():
    predictions, targets = jnp.array([1.0, 2.0, 4.0]), jnp.array([0.0, 0.0, 0.0])
    assert lo.mse(predictions, targets) == 7.0
    assert lo.rmse(predictions, targets) == pytest.approx(7**0.5, rel=1e-15)
    assert lo.mae(predictions, targets) == pytest.approx(7 / 3, rel=1e-15)
    assert lo.cost(losses.squared_error, lo.total)(predictions, targets) == 21.0


@pytest.mark.parametrize("reduction", REDUCTIONS.values(), ids=REDUCTIONS)
def test_weight_two_is_a_row_given_twice(reduction):
    predictions, targets = example("huber")
    weights = jnp.array([1.0, 2.0, 1.0, 1.0, 2.0, 1.0])
    twice = jnp.repeat(jnp.arange(6), jnp.array([1, 2, 1, 1, 2, 1]))
    batch_cost = lo.cost(losses.huber, reduction)
    weighted = batch_cost(predictions, targets, weights=weights)
    np.testing.assert_allclose(weighted, batch_cost(predictions[twice], targets[twice]), rtol=1e-14)


def test_hyperparameter_gradient_ignores_rows_left_out():
    of_delta = lambda d: lo.cost(lo.bind(losses.huber, delta=d))(  # noqa: E731
        jnp.array([3.0, jnp.nan]), jnp.zeros(2), where=jnp.array([True, False])
    )
    assert jax.grad(of_delta)(1.0) == 2.0


@pytest.mark.parametrize("reduction", REDUCTIONS.values(), ids=REDUCTIONS)
def test_all_rows_left_out_cost_nothing(reduction):
    batch_cost = lo.cost(losses.squared_error, reduction)
    nothing = lambda p: batch_cost(p, jnp.zeros(3), where=jnp.zeros(3, bool))  # noqa: E731
    value, gradient = jax.value_and_grad(nothing)(jnp.full(3, jnp.nan))
    assert value == 0
    assert not jnp.any(gradient)


def test_root_mean_has_a_gradient_at_a_perfect_fit():
    assert not jnp.any(jax.grad(lo.rmse)(jnp.ones(3), jnp.ones(3)))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_of_the_predictions_is_kept(dtype):
    weights = jnp.ones(3)
    assert lo.mse(jnp.ones(3, dtype), jnp.zeros(3, dtype), weights=weights).dtype == dtype


@pytest.mark.parametrize(
    ("predictions", "targets", "words"),
    [
        ((8, 1), (8,), r"\(8, 1\).*\(8,\).*predictions\[\.\.\., 0\]"),
        ((8,), (8, 1), r"targets\[\.\.\., 0\]"),
        ((8,), (7,), "do not match"),
        ((), (), "one example"),
    ],
)
@pytest.mark.parametrize("loss", [losses.huber, lambda p, t: (p - t) ** 2], ids=["registered", "own"])
def test_shapes_that_would_broadcast_are_refused(loss, predictions, targets, words):
    if loss is not losses.huber and len(predictions) != len(targets):
        words = "one number"  # the shape is legal for a loss of vectors, but this loss then gives a vector
    with pytest.raises(ValueError, match=words):
        lo.cost(loss)(jnp.ones(predictions), jnp.ones(targets))


@pytest.mark.parametrize("loss", [losses.huber, losses.softmax_cross_entropy], ids=losses.label)
@pytest.mark.parametrize("options", [{}, {"weights": jnp.ones(0)}, {"where": jnp.ones(0, bool)}])
def test_a_batch_of_nothing_costs_nothing(loss, options):
    shape = (0, 3) if loss is losses.softmax_cross_entropy else (0,)
    assert float(lo.cost(loss)(jnp.ones(shape), jnp.ones(0, int), **options)) == 0


def test_a_vector_loss_needs_vectors():
    with pytest.raises(ValueError, match="vector of k scores"):
        lo.cost(losses.softmax_cross_entropy)(jnp.ones(5), jnp.ones(5, int))


def test_a_loss_of_a_vector_is_not_a_loss():
    with pytest.raises(ValueError, match="one number"):
        lo.cost(lambda p, t: jnp.stack([p, t]))(jnp.ones(4), jnp.ones(4))


def test_weights_have_the_shape_of_the_batch():
    with pytest.raises(ValueError, match=r"weights of shape \(2,\)"):
        lo.mse(jnp.ones(3), jnp.ones(3), weights=jnp.ones(2))


def two_tasks():
    terms = {"price": (0.7, lo.mse), "sold": (0.3, lo.cost(losses.logistic))}
    predictions = {"price": jnp.array([1.0, 2.0]), "sold": jnp.array([0.0, 3.0])}
    targets = {"price": jnp.array([0.0, 0.0]), "sold": jnp.array([1, 0])}
    return terms, predictions, targets


def test_weighted_sum_of_tasks():
    terms, predictions, targets = two_tasks()
    value, parts = lo.weighted_sum(terms, parts=True)(predictions, targets)
    assert parts["price"] == 2.5
    np.testing.assert_allclose(value, 0.7 * parts["price"] + 0.3 * parts["sold"], rtol=1e-15)
    assert lo.weighted_sum(terms)(predictions, targets) == value


def test_weighted_sum_masks_each_task_by_name():
    terms, predictions, targets = two_tasks()
    where = {"price": jnp.array([True, False]), "sold": jnp.array([False, True])}
    value = lo.weighted_sum(terms)(predictions, targets, where=where)
    np.testing.assert_allclose(value, 0.7 * 1.0 + 0.3 * losses.logistic(3.0, 0), rtol=1e-15)


def test_weighted_sum_of_losses_on_one_target():
    blend = lo.weighted_sum({"squared": (0.5, lo.mse), "absolute": (2.0, lo.mae)})
    assert blend(jnp.array([2.0]), jnp.array([0.0])) == 0.5 * 4 + 2.0 * 2


def test_weighted_sum_differentiates_through_its_weights():
    _, predictions, targets = two_tasks()
    by_weight = lambda w: lo.weighted_sum({"price": (w, lo.mse), "sold": (1 - w, lo.cost(losses.logistic))})(  # noqa: E731
        predictions, targets
    )
    parts = lo.weighted_sum(two_tasks()[0], parts=True)(predictions, targets)[1]
    np.testing.assert_allclose(jax.grad(by_weight)(0.7), parts["price"] - parts["sold"], rtol=1e-14)


def test_weighted_sum_wants_the_same_names():
    terms, predictions, targets = two_tasks()
    with pytest.raises(ValueError, match=r"price.*sold"):
        lo.weighted_sum(terms)(predictions | {"more": jnp.ones(2)}, targets)
    with pytest.raises(ValueError, match="at least one term"):
        lo.weighted_sum({})
