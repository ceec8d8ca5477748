"""The same losses elsewhere: every alias on a card, and scikit-learn, SciPy and statsmodels, on random inputs."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numerics
import numpy as np
import optax
import pytest
import scipy.optimize
import scipy.special
import sklearn.metrics
import statsmodels.robust.norms as norms
from cases import Case

import lossopt as lo
from lossopt import losses


GOLDEN = json.loads((Path(__file__).parent / "reference" / "loss_values.json").read_text())
RANDOM = np.random.default_rng(0)
R = np.concatenate([RANDOM.normal(size=40) * 4, [0.0, 1.0, -1.0]])
LABELS = (np.arange(R.size) % 2).astype(float)
LOGITS, CLASSES = RANDOM.normal(size=(40, 4)) * 3, np.arange(40) % 4
SHARES = RANDOM.dirichlet(np.ones(4), 40)


@jax.jit
def _batch(loss, predictions, targets):
    return lo.per_example(loss)(predictions, targets)


def ours(loss, predictions, targets):
    whole = loss if isinstance(loss, jax.tree_util.Partial) else lo.bind(loss)
    return np.asarray(_batch(whole, jnp.asarray(predictions), jnp.asarray(targets)))


# The inputs that each kind of loss is compared on.
VECTORS = RANDOM.normal(size=(40, 4))
INPUTS = {
    "real": (R, R[::-1].copy()),
    "vector": (LOGITS, VECTORS),
    "logit": (R, LABELS),
    "label": (LOGITS, CLASSES),
    "simplex": (LOGITS, SHARES),
}
OPTAX = [
    (name, alias, factor)
    for name in losses.names()
    for alias, factor in losses.claims(losses.get(name)).aliases.items()
    if alias.startswith("optax.")
]


@pytest.mark.parametrize(("name", "alias", "factor"), OPTAX)
def test_an_alias_is_the_same_loss_but_for_its_factor(name, alias, factor):
    card, fn = losses.claims(losses.get(name)), getattr(optax.losses, alias.removeprefix("optax.losses."))
    kind = card.target if card.prediction == "logits" else card.prediction
    predictions, targets = INPUTS[kind]
    settings = {"huber": {"delta": 0.7}, "focal": {"gamma": 1.5, "alpha": 0.3}}.get(name, {})
    with jax.numpy_dtype_promotion("standard"):  # sparsemax multiplies by an integer
        theirs = np.asarray(fn(jnp.asarray(predictions), jnp.asarray(targets), **settings))
    np.testing.assert_allclose(
        ours(lo.bind(losses.get(name), **settings), predictions, targets), factor * theirs, rtol=1e-12, atol=1e-15
    )


def test_a_wrong_factor_would_be_seen():
    theirs = np.asarray(optax.losses.l2_loss(jnp.asarray(R)))
    assert not np.allclose(ours(losses.squared_error, R, 0 * R), theirs)


def test_hinge_is_optax_hinge_with_labels_of_plus_and_minus_1():
    theirs = optax.losses.hinge_loss(jnp.asarray(R), jnp.asarray(2 * LABELS - 1))
    np.testing.assert_allclose(ours(losses.hinge, R, LABELS), theirs, rtol=1e-14)


def test_scipy_has_huber_and_pseudo_huber():
    for delta in (0.3, 1.0, 2.5):
        for name, theirs in (("huber", scipy.special.huber), ("pseudo_huber", scipy.special.pseudo_huber)):
            np.testing.assert_allclose(
                ours(lo.bind(losses.get(name), delta=delta), R, 0 * R), theirs(delta, R), rtol=1e-12
            )


def test_scipy_least_squares_minimises_cauchy():
    y = np.array([0.1, -0.4, 0.3, 8.0, -0.2])
    fit = scipy.optimize.least_squares(lambda m: m - y, 0.0, loss="cauchy", f_scale=1.7)
    total = ours(lo.bind(losses.cauchy, c=1.7), np.full_like(y, fit.x[0]), y).sum()
    assert total == pytest.approx(fit.cost, rel=1e-12)


def test_scipy_log_softmax_is_the_cross_entropy():
    theirs = -scipy.special.log_softmax(LOGITS, axis=1)[np.arange(40), CLASSES]
    np.testing.assert_allclose(ours(losses.softmax_cross_entropy, LOGITS, CLASSES), theirs, rtol=1e-12)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_scikit_learn_has_the_pinball(level):
    predictions, targets = INPUTS["real"]
    theirs = sklearn.metrics.mean_pinball_loss(targets, predictions, alpha=level)
    assert ours(lo.bind(losses.quantile, level=level), predictions, targets).mean() == pytest.approx(theirs, rel=1e-13)


def test_scikit_learn_metrics():
    predictions, targets = INPUTS["real"]
    probability = scipy.special.expit(R)
    assert float(lo.mse(jnp.asarray(predictions), jnp.asarray(targets))) == pytest.approx(
        sklearn.metrics.mean_squared_error(targets, predictions)
    )
    assert float(lo.mae(jnp.asarray(predictions), jnp.asarray(targets))) == pytest.approx(
        sklearn.metrics.mean_absolute_error(targets, predictions)
    )
    assert ours(losses.hinge, R, LABELS).mean() == pytest.approx(sklearn.metrics.hinge_loss(LABELS, R))
    log_loss = sklearn.metrics.log_loss(LABELS, probability)
    assert ours(losses.binary_cross_entropy, probability, LABELS).mean() == pytest.approx(log_loss, rel=1e-12)
    assert ours(losses.logistic, R, LABELS).mean() == pytest.approx(log_loss, rel=1e-12)
    shares = scipy.special.softmax(LOGITS, axis=1)
    log_loss = sklearn.metrics.log_loss(CLASSES, shares)
    assert ours(losses.categorical_cross_entropy, shares, np.eye(4)[CLASSES]).mean() == pytest.approx(
        log_loss, rel=1e-12
    )


def test_scikit_learn_relative_errors():
    predictions, targets = np.exp(R), np.exp(R[::-1])
    log_error = sklearn.metrics.mean_squared_log_error(targets, predictions)
    assert ours(losses.squared_log_error, predictions, targets).mean() == pytest.approx(log_error, rel=1e-12)
    share = sklearn.metrics.mean_absolute_percentage_error(targets, predictions)
    assert ours(losses.absolute_percentage_error, predictions, targets).mean() == pytest.approx(share, rel=1e-12)


def test_several_quantiles_are_the_mean_of_their_pinballs():
    predictions, targets = LOGITS[:, :3], R[:40]
    each = [
        ours(lo.bind(losses.quantile, level=level), predictions[:, i], targets)
        for i, level in enumerate((0.1, 0.5, 0.9))
    ]
    np.testing.assert_allclose(ours(losses.multi_quantile, predictions, targets), np.mean(each, axis=0), rtol=1e-13)


NORMS = [
    ("hampel", {"c": 8.0}, norms.Hampel(2.0, 4.0, 8.0)),
    ("truncated_quadratic", {"c": 1.0}, norms.TrimmedMean(1.0)),
    ("andrews", {"c": 1.339}, norms.AndrewWave(1.339)),
    ("huber", {"delta": 1.345}, norms.HuberT(1.345)),
    ("tukey", {"c": 4.685}, norms.TukeyBiweight(4.685)),
    ("half_squared_error", {}, norms.LeastSquares()),
]


@pytest.mark.parametrize(("name", "setting", "norm"), NORMS)
def test_statsmodels_norms(name, setting, norm):
    found = numerics.everything(Case(name, setting).loss, R, 0 * R)
    np.testing.assert_allclose(found.value, norm.rho(R), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.reverse, norm.psi(R), rtol=1e-12, atol=1e-15)


# scikit-learn's own table of values that its authors checked with mpmath.
SKLEARN = {
    "HalfSquaredError": lambda case: Case("half_squared_error", {}),
    "AbsoluteError": lambda case: Case("absolute_error", {}),
    "PinballLoss": lambda case: Case("quantile", {"level": case["quantile"]}),
    "HuberLoss": lambda case: Case("huber", {"delta": case["delta"]}),
    "HalfBinomialLoss": lambda case: Case("logistic", {}),
    "HalfMultinomialLoss": lambda case: Case("softmax_cross_entropy", {}),
}
CASES = [case for case in GOLDEN["sklearn_loss_specific_values"]["cases"] if case["loss"] in SKLEARN]


@pytest.mark.parametrize("loss", SKLEARN)
def test_scikit_learn_golden_values(loss):
    for case in (case for case in CASES if case["loss"] == loss):
        target = np.array([case["y_true"]], int if loss == "HalfMultinomialLoss" else float)
        found = numerics.everything(SKLEARN[loss](case).loss, np.array([case["raw_prediction"]]), target)
        assert found.value[0] == pytest.approx(case["loss_true"], rel=1e-14, abs=1e-101), case
        # Their table is compared with an absolute tolerance: one slope of 8.5e-17 has the wrong sign, what is 7.9e-102
        # reads 1.4e-101, and p (1 - p) at -37.5 is rounded to 0 from 5.2e-17.
        if case["gradient_true"] is not None:
            assert abs(found.reverse[0]) == pytest.approx(abs(case["gradient_true"]), rel=1e-14, abs=1e-100), case
        if case["hessian_true"] is not None:
            least = 1e-16 if case["hessian_true"] == 0 else 1e-100
            assert found.curvature[0] == pytest.approx(case["hessian_true"], rel=1e-13, abs=least), case


@pytest.mark.parametrize(("name", "key", "size"), [("tukey", "res_biweight", "c"), ("huber", "res_huber", "delta")])
def test_robustbase_golden_values(name, key, size):
    golden, x = GOLDEN["statsmodels_norms"][key], np.array(GOLDEN["statsmodels_norms"]["x"], float)
    (value,) = golden["params"].values()
    found = numerics.everything(Case(name, {size: value}).loss, x, 0 * x)
    np.testing.assert_allclose(found.value, golden["rho"], rtol=1e-14)
    np.testing.assert_allclose(found.reverse, golden["psi"], rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(found.curvature, golden["psi_deriv"], rtol=1e-14, atol=1e-15)


def test_robustbase_efficiencies_of_huber():
    for delta, efficiency in GOLDEN["robustbase"]["huber_eff"].items():
        assert lo.card(lo.bind(losses.huber, delta=float(delta))).efficiency == pytest.approx(efficiency, abs=5e-8)
