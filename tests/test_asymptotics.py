"""Variance, efficiency, sensitivity and tuning constants against published tables and closed forms."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import of

import lossopt as lo
from lossopt import asymptotics, losses


# By mpmath, 12 digits: the thresholds of 85, 90, 95, 98 and 99 % efficiency at the Gaussian.
LEVELS = (0.85, 0.9, 0.95, 0.98, 0.99)
CONSTANTS = {
    "huber": (0.731738817645, 0.981802323038, 1.34499750851, 1.7459236856, 2.01018904926),
    "tukey": (3.44368978473, 3.88266157625, 4.68506494854, 5.92071895152, 7.04139163217),
    "cauchy": (1.37374546264, 1.72487061369, 2.38494711936, 3.39617411598, 4.29024188633),
    "log_cosh": (0.545918782093, 0.782540669495, 1.20470668978, 1.82616656563, 2.36389303077),
    "pseudo_huber": (None, 0.779165523823, 1.28709922427, 2.05783068384, 2.730637721),
    "welsch": (2.05946226605, 2.38311579945, 2.9846371763, 3.91042890172, 4.74071929848),
    "fair": (None, 0.635082312565, 1.39977681246, 3.04206537725, 4.95790798911),
    "andrews": (0.988358754355, 1.11171271944, 1.33871085921, 1.69305256671, 2.01696784719),
    "truncated_quadratic": (2.3058724677, 2.50027771081, 2.79548348292, 3.13646446037, 3.36821417522),
    "geman_mcclure": (2.41606577763, 2.8937157808, 3.78741876084, 5.15974311599, 6.38089777007),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_tuning_constants_are_those_of_the_tables(name):
    found = jax.vmap(lambda level: lo.tune(losses.get(name), level))(jnp.array(LEVELS))
    for mine, published in zip(found.tolist(), CONSTANTS[name], strict=True):
        assert published is None or mine == pytest.approx(published, rel=1e-11)


@pytest.mark.parametrize("alpha", [-math.inf, -2.0, 0.0, 0.5, 1.0])
def test_general_robust_is_tuned_over_its_shapes(alpha):
    # c is that of the case of the family, but for the factor between the two conventions.
    loss = lo.bind(losses.general_robust, alpha=alpha)
    c = lo.tune(loss)
    assert float(lo.efficiency(lo.bind(loss, c=c))) == pytest.approx(0.95, rel=1e-12)
    same = {-math.inf: ("welsch", 0.5**0.5), -2.0: ("geman_mcclure", 0.5), 0.0: ("cauchy", 0.5**0.5)}
    same[1.0] = ("pseudo_huber", 1.0)
    if alpha in same:
        name, factor = same[alpha]
        assert float(c) == pytest.approx(CONSTANTS[name][2] * factor, rel=1e-10)


def test_a_sweep_over_shapes_compiles_once():
    traces = []

    def loss(prediction, target, *, alpha, c=1.0):
        traces.append(alpha)
        return losses.general_robust(prediction, target, alpha=alpha, c=c)

    alphas = jnp.array([-2.0, 0.0, 1.0])
    found = jax.jit(jax.vmap(lambda alpha: lo.tune(lo.bind(loss, alpha=alpha), 0.9)))(alphas)
    count = len(traces)
    expected = [float(lo.tune(lo.bind(losses.general_robust, alpha=alpha), 0.9)) for alpha in alphas.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(traces) == count


# Asymptotic variances with a share of the errors drawn from a normal law of three times the width.
CONTAMINATED = {
    0.01: {"cauchy": (2.385, 1.07411061584284), "tukey": (4.685, 1.07250175174674), "huber": (1.345, 1.07505583000106)},
    0.2: {"cauchy": (2.385, 1.58590765118005), "tukey": (4.685, 1.56914475620473), "huber": (1.345, 1.60245020997940)},
}


@pytest.mark.parametrize("fraction", CONTAMINATED)
def test_variances_under_contamination(fraction):
    for name, (threshold, expected) in CONTAMINATED[fraction].items():
        loss = lo.bind(losses.get(name), **{"delta" if name == "huber" else "c": threshold})
        found = lo.asymptotic_variance(loss, asymptotics.contaminated(fraction))
        assert float(found) == pytest.approx(expected, rel=1e-12)


# By Huber (1964, table 1): the threshold at which the largest variance over contaminations by any law is least.
@pytest.mark.parametrize(
    ("fraction", "delta", "largest"),
    [(0.01, 1.94511137465447, 1.06523948373170), (0.1, 1.14017114583609, 1.48985447567168)],
)
def test_the_minimax_variance_is_that_at_the_least_favourable_law(fraction, delta, largest):
    # Its density is normal within delta and exponential outside: minus the huber loss is its logarithm.
    loss = lo.bind(losses.huber, delta=delta)
    least_favourable = lambda r: -losses.huber(r, 0.0, delta=delta)  # noqa: E731
    assert float(lo.asymptotic_variance(loss, least_favourable)) == pytest.approx(largest, rel=1e-12)
    assert float(lo.efficiency(loss, least_favourable)) == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (asymptotics.gaussian, 2 / math.pi),
        (asymptotics.laplace, 2.0),
        (asymptotics.logistic, math.pi**2 / 12),
        (asymptotics.student(3.0), 1.62113893827740),
        (asymptotics.student(4.0), 1.125),
        (asymptotics.student(30.0), 0.670820681674615),
    ],
)
def test_the_median_against_the_mean(noise, expected):
    mean, median = (lo.asymptotic_variance(loss, noise) for loss in (losses.squared_error, losses.absolute_error))
    assert float(mean / median) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "noise"),
    [
        (losses.half_squared_error, asymptotics.gaussian),
        (losses.absolute_error, asymptotics.laplace),
        (lo.bind(losses.log_cosh, scale=2.0), asymptotics.logistic),
        (lo.bind(losses.cauchy, c=5.0**0.5), asymptotics.student(5.0)),
    ],
    ids=["gaussian", "laplace", "logistic", "student"],
)
def test_a_likelihood_wastes_nothing(loss, noise):
    assert float(lo.efficiency(loss, noise)) == pytest.approx(1.0, rel=1e-12)


# sup |psi| over E psi' at the standard normal law, by mpmath.
@pytest.mark.parametrize(
    ("name", "threshold", "expected"),
    [
        ("cauchy", 2.385, 1.709940483767055),
        ("tukey", 4.685, 1.769553784652706),
        ("huber", 1.345, 1.637498565339665),
        ("log_cosh", 1.205, 1.792295020455585),
        ("pseudo_huber", 1.0, 1.770253500965387),
        ("absolute_error", None, 1.2533141373155),
        ("squared_error", None, math.inf),
    ],
)
def test_what_one_point_can_do(name, threshold, expected):
    loss = losses.get(name)
    if threshold:
        loss = lo.bind(loss, **{next(iter(losses.hyperparameters(loss))): threshold})
    assert float(lo.gross_error_sensitivity(loss)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "case",
    [case for case in of(task="regression") if case.card.efficiency is not None and not case.hyperparameters],
    ids=str,
)
def test_efficiency_is_what_the_card_claims(case):
    assert float(lo.efficiency(case.loss)) == pytest.approx(case.card.efficiency, rel=1e-9)


def test_a_loss_of_ones_own_is_tuned():
    def mine(prediction, target, *, knee=1.0):
        return losses.huber(prediction, target, delta=2 * knee)

    assert float(lo.tune(mine, hyperparameter="knee")) == pytest.approx(1.34499750851 / 2, rel=1e-10)


# By mpmath; the moments of squared error are df / (df - 2) and, for the efficiency, (1 + 3 / df) as information.
@pytest.mark.parametrize(
    ("loss", "df", "variance", "share"),
    [
        (losses.squared_error, 2.5, 5.0, 0.2 * 5.5 / 3.5),
        (losses.squared_error, 2.05, 41.0, 5.05 / 3.05 / 41),
        (losses.squared_error, 2.0, math.inf, 0.0),
        (losses.squared_error, 1.0, math.inf, 0.0),
        (lo.bind(losses.huber, delta=1.345), 0.5, 5.32481079648788, 3.5 / 1.5 / 5.32481079648788),
        (lo.bind(losses.huber, delta=1.345), 0.1, 42.1229977879518, 3.1 / 1.1 / 42.1229977879518),
    ],
)
def test_heavy_tails(loss, df, variance, share):
    assert float(lo.asymptotic_variance(loss, asymptotics.student(df))) == pytest.approx(variance, rel=1e-12)
    assert float(lo.efficiency(loss, asymptotics.student(df))) == pytest.approx(share, rel=1e-12)


def test_a_jump_of_psi_is_found_wherever_it_lies():
    c = np.linspace(0.5, 6, 200)
    found = jax.vmap(lambda c: lo.asymptotic_variance(lo.bind(losses.truncated_quadratic, c=c)))(jnp.asarray(c))
    inside = np.vectorize(math.erf)(c / 2**0.5) - c * np.exp(-c * c / 2) * (2 / math.pi) ** 0.5
    np.testing.assert_allclose(found, 1 / inside, rtol=1e-12)


@pytest.mark.parametrize("unit", [1e-3, 1e4])
def test_the_unit_of_the_noise_is_that_of_the_constants(unit):
    noise = lambda r: asymptotics.gaussian(r / unit)  # noqa: E731
    found = lo.tune(losses.tukey, noise=noise)
    assert float(found) == pytest.approx(CONSTANTS["tukey"][2] * unit, rel=1e-11)
    loss = lo.bind(losses.tukey, c=4.685 * unit)
    assert float(lo.gross_error_sensitivity(loss, noise)) == pytest.approx(1.769553784652706 * unit, rel=1e-9)


def test_a_small_threshold_has_its_peak_found():
    # psi is at most (16 / 25) c / 5**0.5, and E[psi r] tends to the integral of r**2 (1 - (r / c)**2)**2 over the
    # density at 0.
    c = 1e-4
    slope = 2 * c**3 * (1 / 3 - 2 / 5 + 1 / 7) / math.sqrt(2 * math.pi)
    found = lo.gross_error_sensitivity(lo.bind(losses.tukey, c=c))
    assert float(found) == pytest.approx(16 / 25 / 5**0.5 * c / slope, rel=1e-6)


def test_an_efficiency_that_falls_is_tuned():
    # At the double exponential law the median is best: 90 % are below the threshold, not above.
    found = lo.tune(losses.huber, 0.9, noise=asymptotics.laplace)
    assert float(lo.efficiency(lo.bind(losses.huber, delta=found), asymptotics.laplace)) == pytest.approx(
        0.9, rel=1e-12
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lo.tune(losses.squared_error), "no hyperparameter called delta or c or scale"),
        (lambda: lo.tune(losses.huber, 0.5), r"efficiencies from 0.6\d+ to 1 for delta"),
        (lambda: lo.tune(losses.huber, 1.5), "choose one between"),
        (lambda: lo.tune(losses.huber, hyperparameter="detla"), "Did you mean 'delta'"),
        (lambda: lo.tune(losses.logistic), "not a loss of a residual"),
        (lambda: lo.efficiency(lo.bind(losses.quantile, level=0.9)), "not symmetric"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_without_float64_the_constants_are_right_to_single_precision():
    with jax.enable_x64(False):
        found = lo.tune(losses.tukey)
    assert found.dtype == jnp.float32
    assert float(found) == pytest.approx(4.68506494854, rel=2e-5)
