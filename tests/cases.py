"""The one table of cases: every registered loss at several settings, its hyperparameters' limits included."""

import dataclasses
import functools
import math
from typing import Any

import numpy as np

from lossopt import losses
from lossopt.losses.general_robust import GENERAL_95
from lossopt.losses.regression import LOG_COSH_95, PSEUDO_HUBER_95


@dataclasses.dataclass(frozen=True)
class Case:
    """A registered loss and the hyperparameters bound in it."""

    name: str
    hyperparameters: dict[str, Any]

    @functools.cached_property
    def loss(self) -> losses.Loss:
        """The loss with everything bound, defaults too, so that all cases of one loss share a compilation."""
        fn = losses.get(self.name)
        given = losses.hyperparameters(fn) | self.hyperparameters
        arrays = {name: np.array(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return losses.bind(fn, **arrays)

    @functools.cached_property
    def card(self) -> losses.LossCard:
        """The claims at these settings."""
        return losses.card(self.loss)

    def __str__(self) -> str:
        return "-".join([self.name, *(f"{key}={value}" for key, value in self.hyperparameters.items())])


def _each(name: str, **settings: list[Any]) -> list[Case]:
    return [Case(name, {key: value}) for key, values in settings.items() for value in values]


SHAPES = [-math.inf, -2.0, 0.0, 1e-9, 1.0, 1.5, 2 - 1e-6, 2.0, 2 + 1e-6, 2.5, 4.0, math.inf]

ROBUST = ("cauchy", "fair", "welsch", "geman_mcclure", "tukey", "hampel", "andrews", "truncated_quadratic")

# How labels get confused: not at all, evenly, and each with its neighbour alone.
CLEAN = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
EVEN = ((0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.1, 0.1, 0.8))
NEXT = ((0.75, 0.25, 0.0), (0.0, 0.75, 0.25), (0.25, 0.0, 0.75))

CASES = [
    Case("squared_error", {}),
    Case("half_squared_error", {}),
    Case("absolute_error", {}),
    *_each("huber", delta=[1.0, 0.3, 1.345, 1e3, math.inf]),
    *_each("pseudo_huber", delta=[1.0, 0.3, 1e3, PSEUDO_HUBER_95]),
    *_each("log_cosh", scale=[1.0, 0.3, LOG_COSH_95]),
    *_each("quantile", level=[0.5, 0.1, 0.9]),
    *_each("expectile", level=[0.5, 0.1, 0.9]),
    Case("smooth_quantile", {}),
    *[Case("smooth_quantile", {"level": level, "bandwidth": h}) for level, h in ((0.1, 0.3), (0.999, 20.0))],
    Case("smooth_quantile", {"bandwidth": LOG_COSH_95 / 2}),
    *_each("multi_quantile", levels=[(0.1, 0.5, 0.9), (0.5, 0.5, 0.5), (0.01, 0.02, 0.999)]),
    *_each("epsilon_insensitive", epsilon=[0.1, 0.0, 2.0]),
    *_each("squared_epsilon_insensitive", epsilon=[0.1, 0.0, 2.0]),
    *_each("linex", a=[1.0, -2.5, 0.3, 1e-3, 1e-9, 0.0]),
    *_each("power_error", p=[1.5, 1.0, 1.1, 2.0, 2.5, 4.0]),
    Case("squared_log_error", {}),
    Case("absolute_percentage_error", {}),
    Case("symmetric_absolute_percentage_error", {}),
    Case("cosine_distance", {}),
    *[Case(name, setting) for name in ROBUST for setting in ({}, {"c": 0.5}, {"c": 30.0})],
    Case("student_t", {}),
    *_each("student_t", df=[0.3, 1e3, math.inf]),
    Case("student_t", {"df": 3.0, "scale": 0.05}),
    *_each("general_robust", alpha=SHAPES),
    Case("general_robust", {"alpha": -2.0, "c": GENERAL_95[-2.0]}),
    Case("general_robust", {"alpha": -0.5, "c": 0.3}),
    Case("general_robust", {"alpha": 0.5, "c": 20.0}),
    Case("binary_cross_entropy", {}),
    Case("logistic", {}),
    *_each("logistic", positive_weight=[3.0], label_smoothing=[0.1, 1.0]),
    Case("logistic", {"positive_weight": 0.5, "label_smoothing": 0.1}),
    Case("hinge", {}),
    Case("squared_hinge", {}),
    *_each("smoothed_hinge", width=[1.0, 0.25, 2.0]),
    Case("modified_huber", {}),
    Case("perceptron", {}),
    Case("exponential", {}),
    Case("sigmoid_margin", {}),
    Case("savage", {}),
    Case("ramp", {}),
    Case("unhinged", {}),
    *_each("focal", gamma=[0.0, 0.5, 2.0, 5.0], alpha=[0.25, 0.5]),
    *_each("poisson", full=[False, True]),
    *_each("gamma", full=[False, True]),
    *_each("inverse_gaussian", full=[False, True]),
    *_each("tweedie", power=[0.0, 1.0, 1 - 1e-9, 1 + 1e-9, 1.5, 2.0, 2 - 1e-5, 2 + 1e-9, 3.0]),
    *[Case("tweedie", {"power": power, "full": True}) for power in (-1.0, 0.0, 1.0, 1 + 1e-9, 1.5, 2.0, 2 + 1e-9, 3.0)],
    *_each("negative_binomial", dispersion=[1.0, 0.0, 1e-12, 0.01, 100.0]),
    *[Case("negative_binomial", {"dispersion": a, "full": True}) for a in (0.0, 1e-12, 1.0, 100.0)],
    *_each("binomial", trials=[1.0, 10.0]),
    Case("binomial", {"trials": 10.0, "full": True}),
    Case("brier", {}),
    Case("probit", {}),
    Case("complementary_log_log", {}),
    *_each("gaussian_nll", full=[False, True]),
    Case("laplace_nll", {}),
    Case("logistic_nll", {}),
    *_each("student_t_nll", df=[4.0, math.inf]),
    *[Case("student_t_nll", {"df": df, "full": True}) for df in (0.5, 1e6)],
    *[Case(f"crps_{law}", {}) for law in ("gaussian", "laplace", "logistic")],
    *_each("interval_score", coverage=[0.9, 0.5, 0.999]),
    *_each("weighted_interval_score", coverages=[(0.5, 0.8, 0.95), (0.1, 0.5, 0.98)]),
    Case("categorical_cross_entropy", {}),
    Case("softmax_cross_entropy", {}),
    *_each("softmax_cross_entropy", label_smoothing=[0.1], class_weights=[(1.0, 2.0, 0.5), (3.0, 3.0, 3.0)]),
    Case("softmax_cross_entropy", {"label_smoothing": 0.1, "class_weights": (1.0, 2.0, 0.5)}),
    Case("softmax_cross_entropy_soft", {}),
    Case("one_versus_rest", {}),
    Case("crammer_singer", {}),
    Case("weston_watkins", {}),
    Case("multiclass_perceptron", {}),
    Case("sparsemax", {}),
    *_each("poly1", epsilon=[2.0, -1.0, 0.0]),
    *_each("categorical_focal", gamma=[2.0, 0.0, 0.5], class_weights=[(1.0, 2.0, 0.5)]),
    Case("multiclass_brier", {}),
    Case("kl_divergence", {}),
    *_each("generalized_cross_entropy", q=[0.7, 0.0, 1.0]),
    Case("symmetric_cross_entropy", {}),
    Case("symmetric_cross_entropy", {"alpha": 0.0, "log_zero": -1.0}),
    Case("absolute_probability_error", {}),
    Case("forward_corrected", {}),
    *_each("forward_corrected", transition=[CLEAN, EVEN, NEXT]),
]


def of(**kinds: str) -> list[Case]:
    """The cases whose cards have these fields, as `of(task="regression")`."""
    return [case for case in CASES if all(getattr(case.card, field) == kind for field, kind in kinds.items())]
