"""Every claim on every card is measured, every planted error is caught, and a user's own loss is told the truth."""

import dataclasses
import functools
import math
import subprocess
import sys
import time

import numpy as np
import pytest
from cases import Case, CASES

import lossopt as lo
from lossopt import losses
from lossopt.losses import _register
from lossopt.losses.general_robust import GENERAL_95
from lossopt.properties import _check, _subject, check, Report


def claimed(warning, card):
    """Whether a warning repeats what the card says itself: a smoothed quantile is not 0, nor least, at the target."""
    return not card.zero_at_perfect_fit and warning.startswith(("The loss is not 0 when", "The loss is less"))


DEFAULTS = {name: Case(name, {}) for name in losses.names()}


def settings(case):
    """The loss with every hyperparameter, so that a default and its value are one."""
    return case.name, str(losses.hyperparameters(case.loss))


CALLED = {settings(case): case for case in [*CASES, *DEFAULTS.values()]}


def measurement(case):
    return _measurement(settings(case))


@functools.cache
def _measurement(called):
    loss = CALLED[called].loss
    return _check.measure(loss, _subject.subject(loss, None, None, None, 3))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_claim_on_the_card_is_measured(case):
    report = _check.judged(case.card, measurement(case))
    assert report.agrees, report
    assert [warning for warning in report.warnings if not claimed(warning, case.card)] == []
    assert report.gradient_error == 0
    assert report.curvature_error == 0


def default_report(name):
    return _check.judged(DEFAULTS[name].card, measurement(DEFAULTS[name]))


def test_every_claim_has_a_measurement():
    structure = {"name", "task", "formula", "prediction", "target", "hyperparameters", "aliases", "reference"}
    claims = {field.name for field in dataclasses.fields(losses.LossCard)} - structure
    measured = {finding.field for name in losses.names() for finding in default_report(name).findings}
    assert claims <= measured


SHOWN = [
    "huber",
    "absolute_error",
    "quantile",
    "general_robust",
    "tukey",
    "logistic",
    "hinge",
    "focal",
    "softmax_cross_entropy",
]
BOUNDS = ["lipschitz", "smoothness", "least_curvature", "supremum", "efficiency"]


def planted(name, **wrong):
    """The report on a loss, judged by a card that has been falsified."""
    case = DEFAULTS[name]
    return _check.judged(dataclasses.replace(case.card, **wrong), measurement(case))


def refuted(report):
    return {finding.field for finding in report.findings if not finding.agrees}


CONSTANTS = [
    (name, field)
    for name in SHOWN
    for field in BOUNDS
    if getattr(losses.card(losses.get(name)), field) not in (None, 0.0, math.inf, -math.inf)
]


@pytest.mark.parametrize(("name", "field"), CONSTANTS)
def test_a_constant_that_is_2_percent_off_is_refuted(name, field):
    true = getattr(losses.card(losses.get(name)), field)
    for factor in (0.98, 1.02):
        assert refuted(planted(name, **{field: true * factor})) == {field}


WRONG = [
    *[(name, field, -1.0) for name in ("tukey", "focal") for field in ("least_curvature",)],
    *[(name, "least_curvature", 0.01) for name in ("huber", "logistic", "softmax_cross_entropy")],
    *[(name, "lipschitz", 1e6) for name in ("squared_error", "expectile", "squared_hinge", "binary_cross_entropy")],
    *[(name, "smoothness", 1e6) for name in ("absolute_error", "hinge", "categorical_cross_entropy")],
    *[(name, "lipschitz", math.inf) for name in ("huber", "logistic", "cauchy")],
    *[(name, "supremum", 1e9) for name in ("cauchy", "absolute_error", "logistic", "binary_cross_entropy")],
    *[(name, "supremum", math.inf) for name in ("tukey",)],
    *[(name, "kinks", ()) for name in ("absolute_error", "quantile", "hinge")],
    *[(name, "kinks", (0.0,)) for name in ("huber", "squared_error", "softmax_cross_entropy")],
    ("hinge", "kinks", (1.02,)),
    ("hinge", "kinks", (1.0, 2.0)),
    *[
        (name, "redescending", True)
        for name in ("huber", "logistic", "softmax_cross_entropy", "categorical_cross_entropy")
    ],
    *[(name, "redescending", False) for name in ("tukey", "cauchy")],
    *[
        (name, "symmetric", False)
        for name in ("huber", "quantile", "logistic", "focal", "softmax_cross_entropy", "binary_cross_entropy")
    ],
    *[(name, "origin", 1) for name in ("huber", "general_robust", "tukey")],
    *[(name, "origin", 2) for name in ("absolute_error", "quantile")],
    *[(name, "tails", "quadratic") for name in ("huber", "logistic", "cauchy")],
    *[(name, "tails", "linear") for name in ("squared_error", "tukey", "squared_hinge")],
    ("cauchy", "tails", "constant"),
    ("tukey", "tails", "logarithmic"),
    ("pseudo_huber", "tails", "power"),
    *[
        (name, "zero_at_perfect_fit", False)
        for name in ("huber", "hinge", "binary_cross_entropy", "categorical_cross_entropy")
    ],
    *[(name, "zero_at_perfect_fit", True) for name in ("logistic", "focal", "softmax_cross_entropy")],
    *[(name, "elicits", "median") for name in ("squared_error", "expectile", "huber")],
    *[(name, "elicits", "mean") for name in ("absolute_error", "quantile", "tukey")],
    *[(name, "elicits", "quantile") for name in ("expectile", "huber")],
    *[(name, "elicits", "log-odds") for name in ("hinge", "focal", "squared_hinge", "binary_cross_entropy")],
    *[(name, "elicits", "probability") for name in ("logistic", "softmax_cross_entropy")],
    ("squared_hinge", "elicits", "sign"),
    ("squared_error", "elicits", "something unheard of"),
    *[(name, "proper", True) for name in ("hinge", "squared_hinge", "focal")],
    *[
        (name, "proper", False)
        for name in ("logistic", "binary_cross_entropy", "softmax_cross_entropy", "categorical_cross_entropy")
    ],
    *[
        (name, "calibrated", False)
        for name in ("logistic", "hinge", "focal", "softmax_cross_entropy", "binary_cross_entropy")
    ],
    *[
        (name, "noise_symmetric", True)
        for name in ("logistic", "hinge", "softmax_cross_entropy", "binary_cross_entropy")
    ],
    *[(name, "noise", "gaussian") for name in ("huber", "log_cosh", "cauchy", "logistic")],
    *[(name, "noise", "laplace") for name in ("squared_error", "pseudo_huber")],
    *[(name, "noise", "student t") for name in ("tukey", "squared_error")],
    *[(name, "noise", "bernoulli") for name in ("hinge", "focal", "softmax_cross_entropy")],
    *[(name, "efficiency", 1.0) for name in ("huber", "tukey", "log_cosh", "absolute_error")],
    *[("poisson", field, wrong) for field, wrong in (("noise", "gamma"), ("elicits", "mean"), ("non_negative", True))],
    *[("poisson", field, wrong) for field, wrong in (("zero_at_perfect_fit", True), ("least_curvature", 0.01))],
    *[("gamma", field, wrong) for field, wrong in (("noise", "poisson"), ("tails", "linear"), ("lipschitz", 1.0))],
    *[("inverse_gaussian", field, wrong) for field, wrong in (("noise", "gamma"), ("least_curvature", 0.0))],
    *[("tweedie", field, wrong) for field, wrong in (("noise", "gamma"), ("symmetric", False), ("origin", 1))],
    *[("negative_binomial", field, wrong) for field, wrong in (("noise", "poisson"), ("lipschitz", 1.0))],
    *[("negative_binomial", field, wrong) for field, wrong in (("tails", "exponential"), ("redescending", True))],
    *[("binomial", field, wrong) for field, wrong in (("noise", "categorical"), ("lipschitz", 2.0))],
    *[("gaussian_nll", field, wrong) for field, wrong in (("noise", "laplace"), ("proper", False), ("kinks", (0.0,)))],
    *[
        ("laplace_nll", field, wrong)
        for field, wrong in (("kinks", ()), ("elicits", "mean and log standard deviation"))
    ],
    *[("student_t_nll", field, wrong) for field, wrong in (("tails", "exponential"), ("noise", "gaussian"))],
    *[("logistic_nll", field, wrong) for field, wrong in (("least_curvature", -1.0), ("noise", "student t"))],
    *[("crps_gaussian", field, wrong) for field, wrong in (("noise", "gaussian"), ("least_curvature", 0.0))],
    ("crps_laplace", "elicits", "location and log scale of a logistic law"),
    ("crps_logistic", "elicits", "location and log scale of a gaussian law"),
    *[("interval_score", field, wrong) for field, wrong in (("lipschitz", 20.0), ("kinks", ()), ("symmetric", True))],
    *[("weighted_interval_score", field, wrong) for field, wrong in (("elicits", "central interval"), ("origin", 2))],
    *[("smooth_quantile", field, value) for field, value in (("elicits", "quantile"), ("zero_at_perfect_fit", True))],
    *[("multi_quantile", field, value) for field, value in (("elicits", "median"), ("kinks", ()), ("lipschitz", 0.9))],
    *[("epsilon_insensitive", field, value) for field, value in (("kinks", (0.0,)), ("elicits", "median"))],
    *[
        ("squared_epsilon_insensitive", field, value)
        for field, value in (("elicits", "mean"), ("least_curvature", 2.0))
    ],
    *[
        ("linex", field, value)
        for field, value in (("tails", "quadratic"), ("symmetric", True), ("elicits", "mean"), ("smoothness", 1e6))
    ],
    *[
        ("power_error", field, value)
        for field, value in (("smoothness", 1e6), ("tails", "quadratic"), ("origin", 2), ("noise", "gaussian"))
    ],
    *[
        ("squared_log_error", field, value)
        for field, value in (("elicits", "mean"), ("redescending", False), ("least_curvature", 0.0), ("kinks", (-1.0,)))
    ],
    *[("absolute_percentage_error", field, value) for field, value in (("elicits", "median"), ("noise", "laplace"))],
    *[
        ("symmetric_absolute_percentage_error", field, value)
        for field, value in (("kinks", (0.0,)), ("least_curvature", -1.0), ("symmetric", True), ("lipschitz", 1.0))
    ],
    *[
        ("cosine_distance", field, value)
        for field, value in (("elicits", "mean"), ("lipschitz", 1e6), ("least_curvature", -1.0), ("origin", 1))
    ],
    *[("truncated_quadratic", field, value) for field, value in (("kinks", ()), ("least_curvature", -1.0))],
    ("fair", "redescending", True),
    ("welsch", "tails", "logarithmic"),
    ("geman_mcclure", "supremum", math.inf),
    ("hampel", "least_curvature", -1.0),
    ("andrews", "efficiency", 0.94),
    ("student_t", "noise", "gaussian"),
    *[("huber", "non_negative", False), ("unhinged", "non_negative", True), ("unhinged", "smoothness", 0.1)],
    *[("perceptron", field, value) for field, value in (("kinks", ()), ("calibrated", True), ("elicits", "sign"))],
    *[("smoothed_hinge", field, value) for field, value in (("smoothness", 1.02), ("elicits", "sign"))],
    *[("modified_huber", field, value) for field, value in (("lipschitz", 3.9), ("tails", "quadratic"))],
    *[("exponential", field, value) for field, value in (("elicits", "log-odds"), ("tails", "power"))],
    *[("savage", field, value) for field, value in (("elicits", "log-odds"), ("lipschitz", 0.58))],
    *[("ramp", field, value) for field, value in (("least_curvature", -1.0), ("kinks", (1.0,)), ("supremum", 1.0))],
    *[
        (name, "noise_symmetric", False)
        for name in ("sigmoid_margin", "ramp", "unhinged", "absolute_probability_error")
    ],
    *[
        ("brier", field, value)
        for field, value in (("proper", False), ("elicits", "probability"), ("smoothness", 0.15))
    ],
    *[("probit", field, value) for field, value in (("proper", False), ("elicits", "log-odds"), ("smoothness", 0.98))],
    *[
        ("complementary_log_log", field, value)
        for field, value in (("symmetric", True), ("calibrated", True), ("elicits", "log-odds"), ("noise", "gaussian"))
    ],
    *[
        ("one_versus_rest", field, value)
        for field, value in (("elicits", "log-odds"), ("proper", True), ("lipschitz", 1.4), ("smoothness", 0.26))
    ],
    *[(name, "calibrated", True) for name in ("crammer_singer", "weston_watkins", "multiclass_perceptron")],
    *[("crammer_singer", field, value) for field, value in (("kinks", (0.0,)), ("lipschitz", 1.0))],
    *[
        ("sparsemax", field, value)
        for field, value in (("elicits", "log-odds"), ("kinks", (1.0,)), ("smoothness", 0.98))
    ],
    *[("poly1", field, value) for field, value in (("proper", True), ("lipschitz", 1.56), ("least_curvature", -0.1))],
    *[("categorical_focal", field, value) for field, value in (("proper", True), ("smoothness", 1.0))],
    *[
        ("multiclass_brier", field, value)
        for field, value in (("proper", False), ("lipschitz", 0.82), ("supremum", 1.9))
    ],
    *[("kl_divergence", field, value) for field, value in (("proper", False), ("zero_at_perfect_fit", True))],
    *[
        ("generalized_cross_entropy", field, value)
        for field, value in (("proper", True), ("supremum", 1.4), ("noise_symmetric", True), ("smoothness", 0.24))
    ],
    *[("symmetric_cross_entropy", field, value) for field, value in (("noise_symmetric", True), ("smoothness", 0.79))],
    *[("forward_corrected", field, value) for field, value in (("lipschitz", 1.4), ("proper", False))],
]


@pytest.mark.parametrize(("name", "field", "value"), WRONG)
def test_a_wrong_claim_is_refuted_and_no_other(name, field, value):
    assert refuted(planted(name, **{field: value})) == {field}


def test_every_claim_field_has_a_planted_error():
    fields = {field for _, field in CONSTANTS} | {field for _, field, _ in WRONG}
    assert {finding.field for name in losses.names() for finding in default_report(name).findings} <= fields


@pytest.mark.parametrize(("alpha", "c"), GENERAL_95.items())
def test_the_scales_of_95_percent_efficiency_are_measured(alpha, c):
    report = check(lo.bind(losses.general_robust, alpha=alpha, c=c))
    assert report.agrees
    assert report.efficiency == pytest.approx(0.95, abs=1e-9)


LEVELS = [Case("quantile", {"level": 0.9}), Case("expectile", {"level": 0.9})]


@pytest.mark.parametrize("case", LEVELS, ids=str)
def test_a_level_with_the_sides_exchanged_is_refuted(monkeypatch, case):
    fn = losses.get(case.name)

    def swapped(prediction, target, *, level=0.5):
        return fn(prediction, target, level=1 - level)

    monkeypatch.setitem(_register._CARDS, swapped, losses.claims(fn))
    report = check(lo.bind(swapped, level=0.9))
    assert refuted(report) == {"elicits"}
    assert report.elicits == f"{case.name} at level 0.1"


def test_a_label_swapped_in_the_loss_is_refuted(monkeypatch):
    def swapped(prediction, target):
        return losses.logistic(prediction, 1 - target)

    monkeypatch.setitem(_register._CARDS, swapped, losses.card(losses.logistic))
    assert {"elicits", "calibrated"} <= refuted(check(swapped))


def test_unequal_class_weights_are_seen(monkeypatch):
    fn = losses.softmax_cross_entropy
    monkeypatch.setitem(_register._CARDS, fn, losses.card(fn))
    report = check(lo.bind(fn, class_weights=np.array([1.0, 1.0, 1.1])))
    assert refuted(report) == {"lipschitz", "smoothness", "symmetric", "elicits", "proper", "calibrated", "noise"}


@pytest.mark.parametrize(
    "loss",
    [
        lo.bind(losses.symmetric_cross_entropy, alpha=0.0, beta=0.0),
        lo.bind(losses.softmax_cross_entropy, class_weights=np.zeros(3)),
        lo.bind(losses.categorical_focal, class_weights=np.zeros(3)),
    ],
    ids=losses.label,
)
def test_the_card_of_a_loss_without_weight_claims_what_is_true_of_0(loss):
    report = check(loss)
    assert report.agrees, report


def test_the_search_for_a_minimiser_is_not_ended_by_a_neighbour_within_rounding():
    assert check(lo.bind(losses.linex, a=-2.0)).elicits == "exponential mean"


def test_the_report_reads():
    text = str(check(losses.quantile))
    assert text.splitlines()[0] == "quantile (regression, measured in float64)"
    assert "REFUTED" not in text
    assert text.count("agrees") == len(check(losses.quantile).findings)


def test_a_refuted_claim_is_marked():
    text = str(planted("huber", lipschitz=0.5))
    assert [line.split() for line in text.splitlines() if "REFUTED" in line] == [["lipschitz", "1", "0.5", "REFUTED"]]


def test_it_is_the_same_every_time():
    assert check(losses.softmax_cross_entropy) == check(losses.softmax_cross_entropy)
    assert isinstance(lo.check(losses.huber), Report)


def test_it_is_quick():
    check(losses.focal)
    start = time.perf_counter()
    check(lo.bind(losses.focal, gamma=1.25))
    assert time.perf_counter() - start < 2.0


SINGLE = """
import lossopt as lo
from lossopt import losses
import jax
for name in ("absolute_error", "huber", "cauchy", "tukey", "binary_cross_entropy", "hinge", "softmax_cross_entropy"):
    report = lo.check(losses.get(name))
    assert report.precision == "float32" and report.agrees and not report.warnings, report
assert not jax.config.jax_enable_x64
"""


def test_cards_hold_in_float32_too():
    done = subprocess.run([sys.executable, "-c", SINGLE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
