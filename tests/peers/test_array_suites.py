"""The tests of scikit-learn's, statsmodels' and SciPy's losses, asked of ours."""

import functools
import inspect
from collections.abc import Callable
from typing import Any
from unittest import mock

import jax
import numerics
import numpy as np

import lossopt as lo
from lossopt import losses

from . import suites


def orders(name: str, prediction: Any, target: Any, **given: Any) -> numerics.Orders:
    """Value, gradient and curvature of our loss of a batch, as float64 arrays."""
    loss = lo.bind(losses.get(name), **(losses.hyperparameters(losses.get(name)) | given))
    return numerics.everything(loss, np.asarray(prediction, float), np.asarray(target))


class OfRaw:
    """A loss of scikit-learn whose numbers are ours; all else about it stays theirs."""

    def __init__(self, theirs: Any, name: str, **given: Any):
        self._theirs, self._name, self._given = theirs, name, given

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._theirs, attribute)

    def _constant(self, target: np.ndarray) -> np.ndarray | float:
        """What a loss with `full=True` holds and theirs leaves out."""
        return self._theirs.constant_to_optimal_zero(target) if "full" in self._given else 0.0

    def _orders(self, y_true: Any, raw_prediction: Any) -> numerics.Orders:
        target = np.asarray(y_true).astype(int) if self._theirs.is_multiclass else np.asarray(y_true, float)
        raw = np.asarray(raw_prediction, float)
        raw = raw[:, 0] if raw.ndim == 2 and raw.shape[1] == 1 else raw
        found = orders(self._name, raw, target, **self._given)
        return found._replace(value=found.value - self._constant(target))

    def loss(self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, **_: Any) -> np.ndarray:
        return self._orders(y_true, raw_prediction).value * (1.0 if sample_weight is None else sample_weight)

    def gradient(self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, **_: Any) -> np.ndarray:
        return self.loss_gradient(y_true, raw_prediction, sample_weight)[1]

    def loss_gradient(self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, **_: Any) -> Any:
        found = self._orders(y_true, raw_prediction)
        weight = np.ones(len(found.value)) if sample_weight is None else sample_weight
        return found.value * weight, (found.reverse.T * weight).T

    def gradient_hessian(self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, **_: Any) -> Any:
        found = self._orders(y_true, raw_prediction)
        weight = np.ones(len(found.value)) if sample_weight is None else sample_weight
        diagonal = np.einsum("...ii->...i", found.curvature) if found.reverse.ndim == 2 else found.curvature
        return (found.reverse.T * weight).T, (diagonal.T * weight).T

    def __call__(self, y_true: Any, raw_prediction: Any, sample_weight: Any = None, **_: Any) -> float:
        return float(np.average(self.loss(y_true, raw_prediction), weights=sample_weight))


# Theirs -> ours, with what is fixed, and our hyperparameters with the attribute of theirs that holds each.
RAW: dict[str, tuple[str, dict[str, Any], dict[str, str]]] = {
    "HalfSquaredError": ("half_squared_error", {}, {}),
    "AbsoluteError": ("absolute_error", {}, {}),
    "PinballLoss": ("quantile", {}, {"level": "quantile"}),
    "HuberLoss": ("huber", {}, {"delta": "delta"}),
    "HalfPoissonLoss": ("poisson", {}, {}),
    "HalfGammaLoss": ("gamma", {}, {}),
    "HalfTweedieLoss": ("tweedie", {"full": True}, {"power": "power"}),
    "HalfBinomialLoss": ("logistic", {}, {}),
    "HalfMultinomialLoss": ("softmax_cross_entropy", {}, {}),
}


def _raw(theirs: Any) -> OfRaw | None:
    """Ours for an instance of theirs, if we have it."""
    name, given, own = RAW.get(type(theirs).__name__, ("", {}, {}))
    read = {ours: float(getattr(theirs.closs, attribute)) for ours, attribute in own.items()}
    return OfRaw(theirs, name, **given, **read) if name in losses.names() else None


SKLEARN = [
    "test_loss_on_specific_values",
    "test_loss_of_perfect_prediction",
    "test_gradients_hessians_numerically",
    "test_sample_weight_multiplies",
]


def sklearn_calls(tests: Any) -> dict[str, Callable[[], Any]]:
    """The rows of the tables of some tests, with their loss replaced by ours where we have it."""
    calls = {}
    for name in SKLEARN:
        test = getattr(tests, name)
        seed = {"global_random_seed": 42} if "global_random_seed" in inspect.signature(test).parameters else {}
        for i, row in enumerate(suites.rows_of(test)):
            ours = _raw(row["loss"])
            if ours is not None:
                key = f"{name}[{i}-{tests.loss_instance_name(row['loss'])}]"
                calls[key] = functools.partial(test, **{**row, **seed, "loss": ours})
    return calls


NEGATIVE = "a target below 0 is allowed there with a power below 0, and is NaN here"
SKLEARN_DIFFERS = {
    "test_gradients_hessians_numerically[12-HalfTweedieLoss(power=-1.5)]": NEGATIVE,
    "test_gradients_hessians_numerically[33-HalfTweedieLoss(power=-1.5)]": NEGATIVE,
}


def test_scikit_learn():
    tests = suites.suite("sklearn._loss.tests.test_loss")
    suites.hold(suites.of_functions(sklearn_calls(tests)), SKLEARN_DIFFERS)


def _proportioned(norm: Any) -> dict[str, float]:
    if (4 * norm.a, 2 * norm.b) != (norm.c, norm.c):
        raise ValueError("knots that are not in our proportion")
    return {"c": norm.c}


NORMS: dict[str, tuple[str, Callable[[Any], dict[str, float]]]] = {
    "LeastSquares": ("half_squared_error", lambda norm: {}),
    "HuberT": ("huber", lambda norm: {"delta": norm.t}),
    "TukeyBiweight": ("tukey", lambda norm: {"c": norm.c}),
    "Hampel": ("hampel", _proportioned),
    "AndrewWave": ("andrews", lambda norm: {"c": norm.a}),
    "TrimmedMean": ("truncated_quadratic", lambda norm: {"c": norm.c}),
}


class OfResidual:
    """A norm of statsmodels whose functions are ours; what it says about itself stays theirs."""

    def __init__(self, theirs: Any, name: str, **given: Any):
        self._theirs, self._name, self._given = theirs, name, given

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._theirs, attribute)

    def _order(self, z: Any, order: str) -> np.ndarray:
        z = np.asarray(z)
        if np.iscomplexobj(z):
            raise TypeError("a complex residual")
        flat = z.astype(float).ravel()
        return getattr(orders(self._name, flat, 0 * flat, **self._given), order).reshape(z.shape)

    def rho(self, z: Any) -> np.ndarray:
        return self._order(z, "value")

    def psi(self, z: Any) -> np.ndarray:
        return self._order(z, "reverse")

    def psi_deriv(self, z: Any) -> np.ndarray:
        return self._order(z, "curvature")

    def weights(self, z: Any) -> np.ndarray:
        z = np.asarray(z, float)
        return np.where(z == 0, self.psi_deriv(z), self.psi(z) / np.where(z == 0, 1.0, z))


def statsmodels_calls(tests: Any) -> dict[str, Callable[[], Any]]:
    """The norms of their table, by ours."""
    calls = {}
    for name in ("test_norm", "test_norms_consistent"):
        for row in suites.rows_of(getattr(tests, name)):
            theirs, arguments, *known = row["case"]
            ours, settings = NORMS.get(theirs.__name__, ("", dict))
            if ours in losses.names():
                make = functools.partial(_norm, theirs, ours, settings)
                kind = f"-{np.dtype(row['dtype']).name}" if "dtype" in row else ""
                case = (make, arguments, *known)
                calls[f"{name}[{theirs.__name__}{kind}]"] = functools.partial(
                    getattr(tests, name), **{**row, "case": case}
                )
    return calls


def _norm(theirs: Any, ours: str, settings: Callable[[Any], dict[str, float]], *arguments: Any) -> OfResidual:
    norm = theirs(*arguments)
    return OfResidual(norm, ours, **settings(norm))


COMPLEX = "a residual is real here"
PROPORTION = "its three knots move together here, in the proportion 2 : 4 : 8"
STATSMODELS_DIFFERS = {
    "test_norm[HuberT-complex128]": COMPLEX,
    "test_norm[TukeyBiweight-complex128]": COMPLEX,
    "test_norm[Hampel-int64]": PROPORTION,
    "test_norm[Hampel-float64]": PROPORTION,
    "test_norm[Hampel-complex128]": PROPORTION,
}


def test_statsmodels():
    tests = suites.suite("statsmodels.robust.tests.test_norms")
    suites.hold(suites.of_functions(statsmodels_calls(tests)), STATSMODELS_DIFFERS)


def _scalar(name: str, sign: float, target: float) -> Callable[..., np.ndarray]:
    """Ours as a function of the logit alone."""
    loss = jax.jit(suites.batched(name))

    def of_logit(x: Any) -> np.ndarray:
        x = np.asarray(x)
        return sign * np.asarray(loss(x, np.full_like(x, target)))

    return of_logit


def _log_softmax(x: Any, axis: None = None) -> np.ndarray:
    if axis is not None:
        raise TypeError("the classes are the last axis")
    x = np.asarray(x, float)
    flat, labels = np.broadcast_to(x.ravel(), (x.size, x.size)), np.arange(x.size)
    return -np.asarray(jax.jit(suites.batched("softmax_cross_entropy"))(flat, labels)).reshape(x.shape)


def _of_residual(name: str) -> Callable[..., Any]:
    """Ours as scipy.special calls it, (delta, residual): inf for a negative delta, and 0 for one of 0."""

    def one(delta: float, r: float) -> float:
        if delta <= 0:
            return np.inf if delta < 0 else 0.0
        return orders(name, [r], [0.0], delta=delta).value[0]

    return np.vectorize(one, otypes=[float])


def _methods(instance: Any) -> dict[str, Callable[[], Any]]:
    """The tests of a class that take no fixture, or NumPy as the array library."""
    return {
        f"{type(instance).__name__}.{name}": functools.partial(
            getattr(instance, name), **_fixtures(getattr(instance, name))
        )
        for name in dir(instance)
        if name.startswith("test") and set(inspect.signature(getattr(instance, name)).parameters) <= {"xp"}
    }


def _fixtures(test: Callable[..., Any]) -> dict[str, Any]:
    return {"xp": np} if "xp" in inspect.signature(test).parameters else {}


UFUNC = "it is no ufunc, with `out` and `where`"
AXIS = "the classes are the last axis"
SUBNORMAL = "compiled by XLA, a number below the smallest normal one is 0"
SCIPY_DIFFERS = {
    "TestSoftplus.test_softplus_with_kwargs": UFUNC,
    "TestLogExpit.test_basic_float32": SUBNORMAL,
    "TestLogExpit.test_basic_float64": SUBNORMAL,
    "TestLogSoftmax.test_log_softmax_2d_axis0": AXIS,
    "TestLogSoftmax.test_log_softmax_2d_axis1": AXIS,
    "TestLogSoftmax.test_log_softmax_3d": AXIS,
}


def scipy_outcomes() -> suites.Outcomes:
    """Their tests, with each function of theirs replaced by ours where the tests call it."""
    basic, logit, ndtr, logsumexp = (
        suites.suite(f"scipy.special.tests.test_{name}") for name in ("basic", "logit", "ndtr", "logsumexp")
    )
    huber = {name: getattr(basic, name) for name in ("test_huber", "test_pseudo_huber", "test_pseudo_huber_small_r")}
    asked = [
        (basic.special, {name: _of_residual(name) for name in ("huber", "pseudo_huber")}, huber),
        (basic, {"softplus": _scalar("logistic", 1.0, 0.0)}, _methods(basic.TestSoftplus())),
        (logit, {"log_expit": _scalar("logistic", -1.0, 1.0)}, _methods(logit.TestLogExpit())),
        (ndtr.sc, {"log_ndtr": _scalar("probit", -1.0, 1.0)}, _methods(ndtr.TestLogNdtr())),
        (logsumexp, {"log_softmax": _log_softmax}, _methods(logsumexp.TestLogSoftmax())),
    ]
    found: suites.Outcomes = {}
    for place, ours, calls in asked:
        with mock.patch.multiple(place, **ours):
            found |= suites.of_functions(calls)
    return found


def test_scipy():
    suites.hold(scipy_outcomes(), SCIPY_DIFFERS)
