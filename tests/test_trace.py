"""Traces whose answers are known: a geometric sequence, an arrival, a divergence, a start at the minimum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lossopt import trace


def geometric(factor: float, steps: int, dtype=jnp.float64) -> jax.Array:
    return jnp.asarray(3.0 * factor ** np.arange(steps), dtype)


def test_suboptimality_is_the_height_above_the_minimum_and_never_negative():
    costs = jnp.array([5.0, 2.5, 2.0, 2.0 - 1e-16, 1.9999])
    np.testing.assert_array_equal(trace.suboptimality(costs, 2.0), [3.0, 0.5, 0.0, 0.0, 0.0])


def test_suboptimality_does_not_hide_a_divergence():
    above = trace.suboptimality(jnp.array([1.0, jnp.inf, jnp.nan]), 0.5)
    assert above[1] == jnp.inf
    assert jnp.isnan(above[2])


@pytest.mark.parametrize(("tolerance", "steps"), [(3.0, 0), (0.8, 2), (0.75, 2), (0.74, 3), (1e-9, np.inf)])
def test_steps_to_counts_the_steps_until_the_first_arrival(tolerance, steps):
    assert trace.steps_to(1.0 + geometric(0.5, 12), 1.0, tolerance) == steps


def test_a_diverged_trace_never_arrives():
    assert trace.steps_to(jnp.array([4.0, jnp.nan, jnp.nan]), 1.0, 0.5) == jnp.inf


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.9, 0.999, 1.02])
@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
def test_rate_of_a_geometric_sequence_is_its_factor(factor, dtype):
    found = trace.rate(geometric(factor, 40, dtype))
    assert found.dtype == dtype
    assert found == pytest.approx(factor, rel=1e-10 if dtype == jnp.float64 else 1e-5)


def test_rate_is_of_the_tail_and_ignores_what_is_below_the_floor():
    fast_then_slow = jnp.concatenate([geometric(0.3, 6), geometric(0.3, 6)[-1] * 0.8 ** jnp.arange(1.0, 7.0)])
    assert trace.rate(fast_then_slow, tail=0.4) == pytest.approx(0.8)
    assert trace.rate(fast_then_slow, tail=1.0) < 0.7
    rounding = jnp.concatenate([geometric(0.5, 45), jnp.full(100, 1e-10)])
    assert trace.rate(rounding) == pytest.approx(0.5)


@pytest.mark.parametrize("heights", [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [jnp.nan] * 3])
def test_rate_of_too_few_rows_is_nan_and_not_a_number_made_up(heights):
    assert jnp.isnan(trace.rate(jnp.array(heights)))


def test_all_three_run_under_jit_and_vmap_alike():
    factors = jnp.array([0.5, 0.8, 0.95])
    costs = 2.0 + 3.0 * factors[:, None] ** jnp.arange(30.0)[None, :]

    def summary(row):
        return trace.rate(trace.suboptimality(row, 2.0)), trace.steps_to(row, 2.0, 1.0)

    rates, arrivals = jax.jit(jax.vmap(summary))(costs)
    np.testing.assert_allclose(rates, factors, rtol=1e-7)
    np.testing.assert_array_equal(arrivals, np.ceil(np.log(1.0 / 3.0) / np.log(factors)))
    for i, row in enumerate(costs):
        np.testing.assert_allclose(summary(row), (rates[i], arrivals[i]))
