"""scikit-learn, statsmodels and SciPy: functions of arrays, with derivatives in closed form where they have any."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
import sklearn.metrics
import statsmodels.robust.norms as norms
from sklearn._loss import loss as sklearn_loss
from sklearn.linear_model import _sgd_fast
from statsmodels.genmod import families

from ._constants import density, proper, tweedie
from ._version import by_formula, Call, row_by_row, Version


def _relative_entropy(p: Any, t: Any) -> np.ndarray:
    return np.sum(scipy.special.rel_entr(t, scipy.special.softmax(p, axis=-1)), -1)


def _residual(rho: Call) -> Call:
    return lambda p, t, **given: rho(p - t, **given)


def _value(loss: str, function: str, call: Call, **more: Any) -> Version:
    return Version(loss, function, call, by_formula(call), **more)


def _norm(loss: str, name: str, settings: Callable[..., dict[str, float]] = dict) -> Version:
    """A norm of statsmodels; `settings` makes its hyperparameters of ours, if they differ."""

    def method(which: str) -> Call:
        def call(p: Any, t: Any, **given: Any) -> Any:
            return getattr(getattr(norms, name)(**settings(**given)), which)(p - t)

        return call

    value, slope, curvature = (method(which) for which in ("rho", "psi", "psi_deriv"))
    return Version(loss, f"statsmodels.robust.norms.{name}", value, by_formula(value, slope, curvature))


def _half(loss: str, name: str, make: Callable[..., Any] | None = None, **more: Any) -> Version:
    """A loss of scikit-learn's own linear models and boosting; private, but what they all train with."""
    make = make or (lambda **_: getattr(sklearn_loss, name)())

    def call(p: Any, t: Any, **given: Any) -> Any:
        p, t = np.ascontiguousarray(p), np.ascontiguousarray(t, p.dtype)
        return make(**given).loss(t, p)

    def slope(p: Any, t: Any, **given: Any) -> Any:
        return make(**given).gradient(np.ascontiguousarray(t, p.dtype), np.ascontiguousarray(p))

    def curvature(p: Any, t: Any, **given: Any) -> Any:
        return make(**given).gradient_hessian(np.ascontiguousarray(t, p.dtype), np.ascontiguousarray(p))[1]

    # It gives the diagonal alone of a Hessian, and for a loss with kinks the number 1.
    whole = None if name in ("HalfMultinomialLoss", "AbsoluteError", "PinballLoss") else curvature
    return Version(loss, f"sklearn._loss.{name}", call, by_formula(call, slope, whole), **more)


def _metric(loss: str, name: str, call: Callable[..., Any] | None = None, *, note: str = "", **more: Any) -> Version:
    """A metric of scikit-learn, which averages: of one row at a time."""
    fn = getattr(sklearn.metrics, name)
    one = call or (lambda p, t, **given: fn(t, p, **given))
    return _value(loss, f"sklearn.metrics.{name}{note}", row_by_row(one), **{"raw": one, **more})


def _both_labels(p: Any, t: Any) -> Any:
    """It learns the labels from the batch: beside each row stand three that cost nothing, of both labels."""
    return 4 * sklearn.metrics.hinge_loss(np.append(t, [0, 1, 1]), np.append(p, np.array([-1, 1, 1], p.dtype)))


def _plain(given: Any) -> bool:
    return given["positive_weight"] == 1 and given["label_smoothing"] == 0


def _unweighted(given: Any) -> bool:
    return given["label_smoothing"] == 0 and given["class_weights"] is None


def _default(given: Any) -> bool:
    return not given["full"]


def _full(given: Any) -> bool:
    return bool(given["full"])


def _deviance(loss: str, name: str) -> Version:
    """A mean deviance: twice ours with `full=True`, of the mean."""
    fn = getattr(sklearn.metrics, name)
    given = ("power",) if loss == "tweedie" else ()
    return _metric(
        loss,
        name,
        lambda p, t, **settings: fn(t, np.exp(p), **{key: settings[key] for key in given}),
        note=" of exp",
        takes=_full,
        factor=0.5,
    )


def _online(loss: str, name: str, *keys: str, given: tuple[float, ...] = ()) -> Version:
    """A loss of scikit-learn's stochastic gradient descent, called in double precision one row at a time."""
    hard = not keys

    def call(which: str) -> Call:
        def rows(p: Any, t: Any, **settings: Any) -> np.ndarray:
            fn = getattr(getattr(_sgd_fast, name)(*(settings[key] for key in keys), *given), which)
            labels = 2 * np.asarray(t) - 1 if hard else t
            return np.array([fn(float(x), float(y)) for x, y in zip(p, labels, strict=True)])

        return rows

    value, slope = call("py_loss"), call("py_dloss")
    return Version(loss, f"sklearn.linear_model._sgd_fast.{name}", value, by_formula(value, slope), raw=value)


def _family(loss: str, name: str, *keys: str) -> Version:
    """Minus the log likelihood of a family of statsmodels, of the mean."""

    def call(p: Any, t: Any, **given: Any) -> np.ndarray:
        family = getattr(families, name)(**{_FAMILY_WORDS[key]: given[key] for key in keys})
        return -family.loglike_obs(np.asarray(t, float), np.exp(p))

    function = f"statsmodels.genmod.families.{name}.loglike_obs of exp"
    takes = _positive_dispersion if "dispersion" in keys else _default
    return _value(loss, function, call, takes=takes, constant=density(loss))


_FAMILY_WORDS = {"dispersion": "alpha"}


def _positive_dispersion(given: Any) -> bool:
    return _default(given) and given["dispersion"] > 0


def _log_density(loss: str, name: str, *keys: str) -> Version:
    """Minus the log density of a distribution of SciPy, of location and scale."""

    def call(p: Any, t: Any, **given: Any) -> np.ndarray:
        shape = [given[key] for key in keys]
        return -getattr(scipy.stats, name).logpdf(t, *shape, loc=p[:, 0], scale=np.exp(p[:, 1]))

    return _value(loss, f"scipy.stats.{name}.logpdf", call, takes=proper, constant=density(loss))


SKLEARN = [
    _half("half_squared_error", "HalfSquaredError"),
    _half("absolute_error", "AbsoluteError"),
    _half("quantile", "PinballLoss", lambda level: sklearn_loss.PinballLoss(quantile=level)),
    _half("huber", "HuberLoss", lambda delta: sklearn_loss.HuberLoss(delta=delta)),
    _half("logistic", "HalfBinomialLoss", takes=_plain),
    _half("exponential", "ExponentialLoss"),
    _half(
        "softmax_cross_entropy",
        "HalfMultinomialLoss",
        lambda **_: sklearn_loss.HalfMultinomialLoss(n_classes=3),
        takes=_unweighted,
    ),
    _half("poisson", "HalfPoissonLoss", takes=_default),
    _half("gamma", "HalfGammaLoss", takes=_default),
    _half(
        "tweedie",
        "HalfTweedieLoss",
        lambda power, full: sklearn_loss.HalfTweedieLoss(power=power),
        takes=_default,
        constant=tweedie,
    ),
    _half(
        "inverse_gaussian",
        "HalfTweedieLoss",
        lambda full: sklearn_loss.HalfTweedieLoss(power=3),
        takes=_default,
    ),
    _online("epsilon_insensitive", "EpsilonInsensitive", "epsilon"),
    _online("squared_epsilon_insensitive", "SquaredEpsilonInsensitive", "epsilon"),
    _online("modified_huber", "ModifiedHuber"),
    _online("hinge", "Hinge", given=(1.0,)),
    _online("perceptron", "Hinge", given=(0.0,)),
    _online("squared_hinge", "SquaredHinge", given=(1.0,)),
    _deviance("poisson", "mean_poisson_deviance"),
    _deviance("gamma", "mean_gamma_deviance"),
    _deviance("tweedie", "mean_tweedie_deviance"),
    _metric(
        "brier",
        "brier_score_loss",
        lambda p, t: sklearn.metrics.brier_score_loss(t, scipy.special.expit(p), labels=[0, 1]),
        note=" of expit",
        hard=True,
    ),
    _metric("squared_error", "mean_squared_error"),
    _metric("absolute_error", "mean_absolute_error"),
    _metric("quantile", "mean_pinball_loss", lambda p, t, level: sklearn.metrics.mean_pinball_loss(t, p, alpha=level)),
    _metric("absolute_percentage_error", "mean_absolute_percentage_error"),
    _metric("squared_log_error", "mean_squared_log_error"),
    _metric("hinge", "hinge_loss", _both_labels, raw=lambda p, t: sklearn.metrics.hinge_loss(t, p)),
    _metric("binary_cross_entropy", "log_loss", lambda p, t: sklearn.metrics.log_loss(t, p, labels=[0, 1]), hard=True),
]
STATSMODELS = [
    _norm("half_squared_error", "LeastSquares"),
    _norm("huber", "HuberT", lambda delta: {"t": delta}),
    _norm("cauchy", "StudentT", lambda c: {"c": c, "df": 1}),
    _norm("tukey", "TukeyBiweight"),
    _norm("andrews", "AndrewWave", lambda c: {"a": c}),
    _norm("truncated_quadratic", "TrimmedMean"),
    _norm("hampel", "Hampel", lambda c: {"a": c / 4, "b": c / 2, "c": c}),
    _norm("student_t", "StudentT", lambda df, scale: {"df": df, "c": scale}),
    _family("poisson", "Poisson"),
    _family("gamma", "Gamma"),
    _family("inverse_gaussian", "InverseGaussian"),
    _family("negative_binomial", "NegativeBinomial", "dispersion"),
]
SCIPY = [
    _value("huber", "scipy.special.huber", _residual(lambda r, delta: scipy.special.huber(delta, r))),
    _value(
        "pseudo_huber", "scipy.special.pseudo_huber", _residual(lambda r, delta: scipy.special.pseudo_huber(delta, r))
    ),
    _value(
        "logistic",
        "scipy.special.log_expit",
        lambda p, t, **_: -scipy.special.log_expit((2 * t - 1) * p),
        takes=_plain,
        hard=True,
    ),
    _value("probit", "scipy.special.log_ndtr", lambda p, t: -scipy.special.log_ndtr((2 * t - 1) * p), hard=True),
    _value(
        "softmax_cross_entropy",
        "scipy.special.log_softmax",
        lambda p, t, **_: -np.take_along_axis(scipy.special.log_softmax(p, axis=-1), t[:, None], -1)[:, 0],
        takes=_unweighted,
    ),
    _log_density("gaussian_nll", "norm"),
    _log_density("laplace_nll", "laplace"),
    _log_density("logistic_nll", "logistic"),
    _log_density("student_t_nll", "t", "df"),
    _value("kl_divergence", "scipy.special.rel_entr of softmax", _relative_entropy),
    _value(
        "softmax_cross_entropy_soft",
        "scipy.special.log_softmax",
        # A class that does not occur is left out here, as SciPy has no say in the product.
        lambda p, t: -np.sum(t * np.where(t == 0, 0.0, scipy.special.log_softmax(p, axis=-1)), -1),
    ),
]
VERSIONS = [*SKLEARN, *STATSMODELS, *SCIPY]
