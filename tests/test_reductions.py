"""Reductions against what they say, by hand: values, gradients, weights, and what is left out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import special

import lossopt as lo
from lossopt import data, losses


VALUES = jnp.array([3.0, 0.5, 7.0, 1.0, 2.0])
ONES = jnp.ones(5)
ALL = {
    "mean": lo.mean,
    "root_mean": lo.root_mean,
    "trimmed_mean": lo.trimmed_mean(0.25),
    "conditional_value_at_risk": lo.conditional_value_at_risk(0.5),
    "tilted": lo.tilted(0.7),
    "tilted down": lo.tilted(-3.0),
}
each = pytest.mark.parametrize("reduction", ALL.values(), ids=ALL)


@pytest.mark.parametrize(
    ("fraction", "expected"), [(0.0, 2.7), (0.2, 1.625), (0.4, 3.5 / 3), (0.3, (0.5 + 1 + 2 + 0.5 * 3) / 3.5)]
)
def test_trimmed_mean_leaves_out_the_largest(fraction, expected):
    assert float(lo.trimmed_mean(fraction)(VALUES, ONES)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("level", "expected"), [(0.0, 2.7), (0.8, 7.0), (0.6, 5.0), (0.5, (7 + 3 + 0.5 * 2) / 2.5)])
def test_conditional_value_at_risk_looks_at_the_worst(level, expected):
    assert float(lo.conditional_value_at_risk(level)(VALUES, ONES)) == pytest.approx(expected, rel=1e-14)


def test_conditional_value_at_risk_is_the_minimum_of_rockafellar_and_uryasev():
    threshold = np.linspace(0, 8, 8001)
    values, level = np.asarray(VALUES), 0.55
    cost = threshold + np.maximum(values[:, None] - threshold, 0).mean(axis=0) / (1 - level)
    assert float(lo.conditional_value_at_risk(level)(VALUES, ONES)) == pytest.approx(cost.min(), abs=1e-12)


def test_their_gradients_are_shares_of_those_kept():
    np.testing.assert_allclose(jax.grad(lo.trimmed_mean(0.3))(VALUES, ONES), np.array([0.5, 1, 0, 1, 1]) / 3.5)
    np.testing.assert_allclose(jax.grad(lo.conditional_value_at_risk(0.5))(VALUES, ONES), [0.4, 0, 0.4, 0, 0.2])


@pytest.mark.parametrize("tilt", [-1e3, -2.0, -1e-3, 1e-3, 0.5, 30.0, 1e3])
def test_tilted_is_the_logarithm_of_a_mean_exponential(tilt):
    value, slope = jax.value_and_grad(lo.tilted(tilt))(VALUES, ONES)
    assert float(value) == pytest.approx((special.logsumexp(tilt * VALUES) - np.log(5)) / tilt, rel=1e-10)
    np.testing.assert_allclose(slope, special.softmax(tilt * VALUES), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("tilt", [0.0, 1e-12, -1e-12, 1e-9, 1e-300])
def test_tilted_is_the_mean_at_0(tilt):
    value, slope = jax.value_and_grad(lo.tilted(tilt))(VALUES, ONES)
    centred = np.asarray(VALUES) - 2.7
    assert float(value) == pytest.approx(2.7 + tilt * np.mean(centred**2) / 2, rel=1e-15)
    np.testing.assert_allclose(slope, (1 + tilt * centred) / 5, rtol=1e-14)


@each
def test_a_weight_counts_as_so_many_rows(reduction):
    weights = jnp.array([2.0, 0.0, 1.0, 3.0, 1.0])
    rows = jnp.repeat(VALUES, jnp.array([2, 0, 1, 3, 1]), total_repeat_length=7)
    assert float(reduction(VALUES, weights)) == pytest.approx(float(reduction(rows, jnp.ones(7))), rel=1e-14)


@each
@pytest.mark.parametrize("size", [1e-307, 1e307, 1.7e308])
def test_weights_of_any_size_are_weights(reduction, size):
    weights = jnp.array([1.0, 0.0, 0.5, 0.25, 1.0])
    expected = float(reduction(VALUES, weights))
    assert float(reduction(VALUES, size * weights)) == pytest.approx(expected, rel=1e-12)


@each
def test_what_is_masked_never_enters(reduction):
    batch = lo.cost(losses.squared_error, reduction)
    predictions, targets = jnp.array([1.0, jnp.nan, 3.0]), jnp.array([0.5, 2.0, jnp.inf])
    keep = jnp.array([True, False, False])
    value, slope = jax.value_and_grad(batch)(predictions, targets, where=keep)
    only = batch(predictions[:1], targets[:1])
    assert float(value) == pytest.approx(float(only))
    assert np.isfinite(slope).all()
    nothing, slope = jax.value_and_grad(batch)(predictions, targets, where=jnp.zeros(3, bool))
    assert float(nothing) == 0
    assert np.isfinite(slope).all()


@each
def test_several_axes_are_one_batch(reduction):
    table = jnp.arange(12.0).reshape(3, 4)
    flat = reduction(table.ravel(), jnp.ones(12))
    assert float(reduction(table, jnp.ones((3, 4)))) == pytest.approx(float(flat), rel=1e-14)


@each
def test_float32_stays_float32(reduction):
    assert reduction(VALUES.astype(jnp.float32), ONES.astype(jnp.float32)).dtype == jnp.float32


@given(st.lists(st.floats(0, 1e6), min_size=5, max_size=5), st.floats(0, 0.99), st.floats(-50, 50))
def test_the_order_of_the_reductions(values, share, tilt):
    values = jnp.array(values)
    middle = float(jnp.mean(values))
    slack = 1e-9 * (1 + middle)
    assert float(_trimmed(values, share)) <= middle + slack
    assert middle <= float(_worst(values, share)) + slack
    assert float(_worst(values, share)) <= float(jnp.max(values)) + slack
    assert np.sign(tilt) * (float(_tilted(values, tilt)) - middle) >= -slack


_trimmed = jax.jit(lambda values, share: lo.trimmed_mean(share)(values, ONES))
_worst = jax.jit(lambda values, share: lo.conditional_value_at_risk(share)(values, ONES))
_tilted = jax.jit(lambda values, tilt: lo.tilted(tilt)(values, ONES))


def test_an_infinite_loss_that_is_trimmed_leaves_no_trace():
    value, slope = jax.value_and_grad(lo.trimmed_mean(0.2))(VALUES.at[2].set(jnp.inf), ONES)
    assert float(value) == 1.625
    assert np.isfinite(slope).all()


def test_trimmed_squares_fit_through_outliers(key):
    d = data.contaminate(key, data.linear_problem(key, n=200, d=2, noise_scale=0.1), fraction=0.2, size=50.0)
    plain = lo.fit(losses.squared_error, d, num_steps=300)
    trimmed = lo.fit(losses.squared_error, d, num_steps=300, reduction=lo.trimmed_mean(0.3))
    truth = np.ones(2)
    assert np.linalg.norm(trimmed.params.weights - truth) < 0.1 < np.linalg.norm(plain.params.weights - truth)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lo.trimmed_mean(1.0), "fraction=1.0"),
        (lambda: lo.conditional_value_at_risk(-0.1), "level=-0.1"),
        (lambda: lo.tilted(float("nan")), "tilt=nan"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("reduction", [lo.mean, lo.trimmed_mean(0.5), lo.conditional_value_at_risk(0.5)])
def test_many_numbers_of_half_precision_have_a_mean(reduction):
    values = jnp.full(70_000, 0.5, jnp.float16)
    value, gradient = jax.value_and_grad(lambda v: reduction(v, jnp.ones_like(v)))(values)
    assert (value, value.dtype) == (0.5, jnp.float16)
    np.testing.assert_allclose(jnp.sum(gradient.astype(float)), 1.0, rtol=0.01)


def test_what_is_not_a_number_is_not_lost():
    """Neither a weight, nor a loss where the worst are looked at."""
    nan = jnp.array([1.0, 2.0, jnp.nan])
    for reduction in (lo.mean, lo.root_mean, lo.conditional_value_at_risk(0.5)):
        assert jnp.isnan(reduction(nan, jnp.ones(3)))
        assert jnp.isnan(reduction(jnp.ones(3), nan))
    assert lo.conditional_value_at_risk(0.9)(nan, jnp.array([1.0, 1.0, 0.0])) == 2.0
