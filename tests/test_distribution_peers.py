"""Counts and distributions elsewhere, and in their limits: scikit-learn, statsmodels, SciPy's densities, integrals."""

import jax
import jax.numpy as jnp
import numerics
import numpy as np
import optax
import pytest
import scipy.integrate
import scipy.stats
import sklearn._loss
import statsmodels.api as sm
from cases import Case

import lossopt as lo
from lossopt import data, losses, models


RNG = np.random.default_rng(0)
S, Y = RNG.normal(size=40), RNG.gamma(1.0, 2.0, size=40)
WHOLE = np.floor(Y)


def values(name, predictions, targets, **setting):
    return numerics.everything(Case(name, setting).loss, predictions, targets)


SKLEARN = [
    ("poisson", {}, sklearn._loss.HalfPoissonLoss(), WHOLE),
    ("gamma", {}, sklearn._loss.HalfGammaLoss(), Y),
    ("inverse_gaussian", {}, sklearn._loss.loss.HalfTweedieLoss(power=3), Y),
]


@pytest.mark.parametrize(("name", "setting", "theirs", "y"), SKLEARN, ids=lambda x: x if isinstance(x, str) else "")
def test_scikit_learn_has_the_default(name, setting, theirs, y):
    found = values(name, S, y, **setting)
    np.testing.assert_allclose(found.value, theirs.loss(y, S), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.reverse, theirs.gradient(y, S), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("power", [-1.5, 0.0, 1.0, 1.3, 1.9, 2.0, 2.5])
def test_scikit_learn_has_tweedie_but_for_terms_of_the_target(power):
    theirs = sklearn._loss.loss.HalfTweedieLoss(power=power)
    found = values("tweedie", S, Y, power=power)
    np.testing.assert_allclose(found.reverse, theirs.gradient(Y, S), rtol=1e-11, atol=1e-13)
    apart = found.value - theirs.loss(Y, S)
    at_one = values("tweedie", 0 * S, Y, power=power).value - theirs.loss(Y, 0 * S)
    np.testing.assert_allclose(apart, at_one, rtol=1e-11, atol=1e-12)


FAMILIES = [
    ("poisson", {}, sm.families.Poisson(), WHOLE),
    ("gamma", {}, sm.families.Gamma(), Y),
    ("inverse_gaussian", {}, sm.families.InverseGaussian(), Y),
    ("tweedie", {"power": 1.4}, sm.families.Tweedie(var_power=1.4), WHOLE),
    ("negative_binomial", {"dispersion": 0.3}, sm.families.NegativeBinomial(alpha=0.3), WHOLE),
]


@pytest.mark.parametrize(("name", "setting", "family", "y"), FAMILIES, ids=lambda x: x if isinstance(x, str) else "")
def test_statsmodels_deviance_is_twice_the_full_loss(name, setting, family, y):
    mean = np.exp(S)
    theirs = np.array([family.deviance(y[i : i + 1], mean[i : i + 1]) for i in range(40)])
    # A count of 0 is clipped there to the smallest number, and a deviance near 0 is a difference.
    np.testing.assert_allclose(2 * values(name, S, y, full=True, **setting).value, theirs, rtol=1e-8, atol=1e-12)


def test_pytorch_formulae():
    # poisson_nll_loss(log_input=True) and gaussian_nll_loss with the variance exp(2 t), as its documentation has them.
    np.testing.assert_allclose(values("poisson", S, WHOLE).value, np.exp(S) - WHOLE * S, rtol=1e-13)
    t = RNG.normal(size=40)
    variance = np.exp(2 * t)
    theirs = 0.5 * (np.log(variance) + (S - Y) ** 2 / variance)
    np.testing.assert_allclose(values("gaussian_nll", np.c_[S, t], Y).value, theirs, rtol=1e-12)


LAWS = {
    "gaussian_nll": (scipy.stats.norm, {}),
    "laplace_nll": (scipy.stats.laplace, {}),
    "logistic_nll": (scipy.stats.logistic, {}),
    "student_t_nll": (scipy.stats.t(3.5), {"df": 3.5}),
}


@pytest.mark.parametrize("name", LAWS)
def test_the_full_loss_is_minus_the_log_density(name):
    law, setting = LAWS[name]
    t = RNG.normal(size=40)
    found = values(name, np.c_[S, t], Y, full=True, **setting).value
    np.testing.assert_allclose(found, t - law.logpdf((Y - S) * np.exp(-t)), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["gaussian", "laplace", "logistic"])
def test_the_ranked_probability_score_is_its_integral(name):
    law = {"gaussian": scipy.stats.norm, "laplace": scipy.stats.laplace, "logistic": scipy.stats.logistic}[name]
    for m, t, y in ((0.3, 0.2, -1.1), (-1.0, -0.7, -1.0), (2.0, 1.0, 9.0)):
        scale = np.exp(t)
        low, _ = scipy.integrate.quad(lambda x: law.cdf((x - m) / scale) ** 2, y - 60 * scale, y, limit=200)  # noqa: B023
        high, _ = scipy.integrate.quad(lambda x: law.sf((x - m) / scale) ** 2, y, y + 60 * scale, limit=200)  # noqa: B023
        assert float(losses.get(f"crps_{name}")(jnp.array([m, t]), y)) == pytest.approx(low + high, rel=1e-7)


def test_the_gaussian_score_at_forty_deviations_is_the_distance_less_a_share_of_the_scale():
    for scale in (1e-20, 1.0, 1e20):
        found = losses.crps_gaussian(jnp.array([40 * scale, np.log(scale)]), 0.0)
        assert float(found) == pytest.approx(scale * (40 - 1 / np.sqrt(np.pi)), rel=1e-14)


S128 = np.tile(np.linspace(-3, 3, 32), 4)
Y128 = np.repeat([0.3, 1.0, 2.5, 9.0], 32)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("tweedie", {"power": 1.0, "full": True}), ("poisson", {"full": True})),
        (("tweedie", {"power": 2.0, "full": True}), ("gamma", {"full": True})),
        (("tweedie", {"power": 3.0, "full": True}), ("inverse_gaussian", {"full": True})),
        (("negative_binomial", {"dispersion": 0.0}), ("poisson", {})),
        (("negative_binomial", {"dispersion": 0.0, "full": True}), ("poisson", {"full": True})),
    ],
    ids=str,
)
def test_a_limit_of_a_count_loss_is_another(left, right):
    ours, theirs = (numerics.everything(Case(*case).loss, S128, Y128) for case in (left, right))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_tweedie_at_power_0_is_the_squared_error_of_the_mean():
    found = values("tweedie", S128, Y128, power=0.0, full=True).value
    np.testing.assert_allclose(found, (np.exp(S128) - Y128) ** 2 / 2, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("full", [False, True])
def test_tweedie_is_continuous_in_its_power(power, full):
    middle = values("tweedie", S128, Y128, power=power, full=full)
    for beside in (-1e-9, 1e-9):
        near = values("tweedie", S128, Y128, power=power + beside, full=full)
        for a, b in zip(near, middle, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-7, atol=1e-9)


def test_the_derivative_in_a_limit_is_that_of_the_formula():
    # By differences of the exact formula: at power 1 and 2, and at dispersion 0.
    for name, key, at in (
        ("tweedie", "power", 1.0),
        ("tweedie", "power", 2.0),
        ("negative_binomial", "dispersion", 0.0),
    ):
        loss = losses.get(name)
        by_setting = jax.grad(lambda value, full: loss(0.7, 2.5, **{key: value}, full=full))  # noqa: B023
        for full in (False, True):
            step = 1e-5
            one, two = (float(loss(0.7, 2.5, **{key: at + h}, full=full)) for h in (step, 2 * step))
            slope = (4 * one - two - 3 * float(loss(0.7, 2.5, **{key: at}, full=full))) / (2 * step)
            assert float(by_setting(at, full)) == pytest.approx(slope, rel=1e-5)


def test_one_trial_is_logistic_and_endless_freedom_is_gaussian():
    labels = (np.arange(128) % 2).astype(float)
    for a, b in zip(values("binomial", S128, labels), values("logistic", S128, labels), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)
    pairs = np.c_[S128, Y128 - 2]
    for full in (False, True):
        ours = values("student_t_nll", pairs, Y128, df=np.inf, full=full)
        for a, b in zip(ours, values("gaussian_nll", pairs, Y128, full=full), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_the_weighted_interval_score_is_its_parts_and_twice_the_mean_of_the_pinballs():
    entries, y, coverages = np.sort(RNG.normal(size=(40, 5)) * 2, axis=1), 3 * RNG.normal(size=40), (0.5, 0.9)
    found = jax.vmap(lambda p, t: losses.weighted_interval_score(p, t, coverages=coverages))(entries, y)
    parts = [np.abs(y - entries[:, 2]) / 2]
    for coverage, low, high in ((0.5, 1, 3), (0.9, 0, 4)):
        lower, upper, alpha = entries[:, low], entries[:, high], 1 - coverage
        score = (upper - lower) + 2 / alpha * (np.maximum(lower - y, 0) + np.maximum(y - upper, 0))
        parts.append(alpha / 2 * score)
        ours = jax.vmap(lambda p, t: losses.interval_score(p, t, coverage=coverage))(np.c_[lower, upper], y)  # noqa: B023
        np.testing.assert_allclose(ours, score, rtol=1e-12)
    np.testing.assert_allclose(found, sum(parts) / 2.5, rtol=1e-12)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    pinballs = jax.vmap(lambda p, t: losses.multi_quantile(p, t, levels=levels))(entries, y)
    np.testing.assert_allclose(found, 2 * pinballs, rtol=1e-12)


ADAM = optax.adam(5e-2)


def test_training_recovers_a_scale_that_depends_on_the_features():
    x = RNG.uniform(-1, 1, size=(4000, 1))
    y = 1 + 2 * x[:, 0] + np.exp(-0.5 + 0.8 * x[:, 0]) * RNG.normal(size=4000)
    table = data.Dataset(x, y)
    for loss in (losses.gaussian_nll, losses.crps_gaussian):
        fitted = lo.fit(loss, table, model=models.multi_output(2), optimizer=ADAM, num_steps=400)
        assert fitted.status.name == "converged"
        np.testing.assert_allclose(fitted.params.weights[0], [2.0, 0.8], atol=0.08)
        np.testing.assert_allclose(fitted.params.bias, [1.0, -0.5], atol=0.08)
    ends = lo.fit(
        lo.bind(losses.interval_score, coverage=0.8), table, model=models.multi_output(2), optimizer=ADAM, num_steps=400
    )
    scores = jax.vmap(models.multi_output(2).predict, (None, 0))(ends.params, jnp.asarray(x))
    inside = (scores[:, 0] <= y) & (y <= scores[:, 1])
    assert float(inside.mean()) == pytest.approx(0.8, abs=0.02)


ADVICE = [
    (losses.gaussian_nll, models.linear, Y, r"location and log scale \(2\).*models\.multi_output\(2\)"),
    (losses.gaussian_nll, models.multi_output(3), Y, r"gives 3 scores: use model=lossopt\.models\.multi_output\(2\)"),
    (losses.interval_score, models.linear, Y, r"lower and upper end.*models\.multi_output\(2\)"),
    (losses.weighted_interval_score, models.linear, Y, r"quantiles.*models\.multi_output\(7\)"),
    (losses.poisson, models.multi_output(2), Y, r"one number, but the multi-output model gives 2"),
    (losses.poisson, models.linear, -Y, r"at least 0, but 40 of 40 rows .* use a regression loss"),
    (losses.gamma, models.linear, WHOLE, r"a number above 0, .* use tweedie with a power below 2"),
    (lo.bind(losses.tweedie, power=2.5), models.linear, WHOLE, r"a number above 0"),
    (lo.bind(losses.binomial, trials=2.0), models.logistic, WHOLE, r"in \[0, trials\].*bind trials"),
]


@pytest.mark.parametrize(("loss", "model", "targets", "words"), ADVICE, ids=range(len(ADVICE)))
def test_a_mistake_is_answered_with_a_remedy(loss, model, targets, words):
    with pytest.raises(ValueError, match=words):
        lo.fit(loss, data.Dataset(S[:, None], targets), model=model)


def test_shapes_are_refused_in_one_sentence():
    for loss in (losses.gaussian_nll, losses.crps_laplace, losses.interval_score, losses.weighted_interval_score):
        with pytest.raises(ValueError, match=r"takes one vector \(.*not shapes \(3,\) and \(\)"):
            loss(jnp.zeros(3), 0.0)
