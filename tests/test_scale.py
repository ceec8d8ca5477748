"""Scales of residuals against statsmodels, and what outliers do to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import statsmodels.api as sm

from lossopt import asymptotics, losses, scale


ALL = [scale.standard_deviation, scale.mad, scale.iqr, scale.m_scale]


@pytest.mark.parametrize("estimate", ALL)
def test_it_is_the_standard_deviation_at_the_gaussian(estimate):
    r = 3 * jax.random.normal(jax.random.key(0), (20_001,)) + 5
    assert float(estimate(r)) == pytest.approx(3, rel=0.03)


@pytest.mark.parametrize("estimate", ALL)
def test_it_scales_with_the_unit(estimate):
    r = jax.random.normal(jax.random.key(1), (101,))
    for unit in (1e-200, 1e200, -4.0):
        assert float(estimate(unit * r)) == pytest.approx(abs(unit) * float(estimate(r)), rel=1e-12)


def test_mad_is_that_of_statsmodels():
    r = np.random.default_rng(2).standard_t(2, size=40)
    assert float(scale.mad(r)) == pytest.approx(sm.robust.scale.mad(r), rel=1e-14)
    assert float(scale.mad(r, centre=0.0)) == pytest.approx(sm.robust.scale.mad(r, center=0), rel=1e-14)


def test_iqr_is_that_of_statsmodels():
    r = np.random.default_rng(3).standard_t(2, size=40)
    assert float(scale.iqr(r)) == pytest.approx(sm.robust.scale.iqr(r), rel=1e-14)


def test_m_scale_solves_its_equation():
    r = np.random.default_rng(4).standard_t(2, size=40)
    c = scale._BIWEIGHT_HALF
    share = lambda s: np.mean([float(losses.tukey(x / s, 0.0, c=c)) for x in r]) / (c * c / 6) - 0.5  # noqa: E731
    assert float(scale.m_scale(r, centre=0.0)) == pytest.approx(scipy.optimize.brentq(share, 0.1, 10), rel=1e-10)


def test_the_constant_of_m_scale_makes_it_right_at_the_gaussian():
    c = scale._BIWEIGHT_HALF
    x = np.linspace(-12, 12, 200_001)
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi)
    rho = np.asarray(jax.vmap(lambda r: losses.tukey(r, 0.0, c=c))(jnp.asarray(x))) / (c * c / 6)
    assert np.trapezoid(rho * density, x) == pytest.approx(0.5, abs=1e-11)


@pytest.mark.parametrize(("estimate", "share"), [(scale.mad, 0.45), (scale.iqr, 0.2), (scale.m_scale, 0.45)])
def test_outliers_do_not_break_it(estimate, share):
    r = np.random.default_rng(5).normal(size=200)
    r[: int(share * 200)] = 1e12
    assert float(estimate(r)) < 10
    assert float(scale.standard_deviation(r)) > 1e11


@pytest.mark.parametrize("estimate", ALL)
def test_degenerate_residuals(estimate):
    assert float(estimate(jnp.full(9, 2.0))) == 0
    assert np.isnan(float(estimate(jnp.array([1.0, np.nan, 2.0]))))
    assert float(estimate(jnp.array([1.0, 2.0, 3.0, 4.0, 5.0], jnp.float32))) > 0
    assert estimate(jnp.arange(5.0, dtype=jnp.float32)).dtype == jnp.float32
    assert np.isfinite(float(estimate(np.arange(5))))
    assert np.isnan(float(estimate(jnp.zeros(0))))


def test_infinite_residuals_are_outliers_to_the_m_scale():
    assert float(scale.m_scale(jnp.array([1.0, 2.0, 3.0, jnp.inf]))) == pytest.approx(
        float(scale.m_scale(jnp.array([1.0, 2.0, 3.0, 1e9]))), rel=1e-12
    )
    assert float(scale.m_scale(jnp.array([1.0, jnp.inf, -jnp.inf, 2.0]), centre=0.0)) == np.inf


def test_the_largest_floats_have_a_standard_deviation():
    r = np.array([1.0, -1.0, 1.0, 5e-308])
    assert float(scale.standard_deviation(1e308 * r)) == pytest.approx(1e308 * np.std(r), rel=1e-12)


def test_a_threshold_in_units_of_the_scale():
    import lossopt as lo

    r = 7 * jax.random.normal(jax.random.key(6), (5001,))
    bound = lo.bind(losses.huber, delta=lo.tune(losses.huber) * scale.mad(r))
    width = lambda x: asymptotics.gaussian(x / 7)  # noqa: E731
    assert float(lo.efficiency(bound, width)) == pytest.approx(0.95, abs=2e-3)
