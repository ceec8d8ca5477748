"""torch.nn.functional with reduction="none": (prediction, target), in tensors."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional

from ._constants import density, proper
from ._version import by_torch, Call, Version


def _torch(loss: str, name: str, call: Call | None = None, *, note: str = "", **more: Any) -> Version:
    fn = call or _plain(name)
    return Version(loss, f"torch.nn.functional.{name}{note}", _of_arrays(fn), by_torch(fn), tensors=fn, **more)


def _plain(name: str) -> Call:
    fn = getattr(functional, name)
    return lambda p, t, **given: fn(p, t, reduction="none", **given)


def _of_arrays(fn: Call) -> Call:
    return lambda p, t, **given: fn(torch.tensor(np.asarray(p)), torch.tensor(np.asarray(t)), **given).numpy()


def _cross_entropy(p: Any, t: Any, label_smoothing: float = 0.0, class_weights: Any = None) -> Any:
    weight = None if class_weights is None else torch.tensor(class_weights, dtype=p.dtype)
    return functional.cross_entropy(p, t.long(), weight=weight, reduction="none", label_smoothing=label_smoothing)


def _logistic(p: Any, t: Any, *, positive_weight: float, label_smoothing: float) -> Any:
    weight = torch.tensor(positive_weight, dtype=p.dtype)
    return functional.binary_cross_entropy_with_logits(p, t, pos_weight=weight, reduction="none")


def _plain_logistic(given: Any) -> bool:
    return given["positive_weight"] == 1 and given["label_smoothing"] == 0


def _default(given: Any) -> bool:
    return not given["full"]


def _gaussian(p: Any, t: Any, full: bool) -> Any:
    return functional.gaussian_nll_loss(p[:, 0], t, torch.exp(2 * p[:, 1]), full=bool(full), reduction="none")


def _density(loss: str, name: str, *shape: str) -> Version:
    """Minus the log density of a distribution of a location, a scale and what comes before them."""

    def call(p: Any, t: Any, **given: Any) -> Any:
        before = [torch.as_tensor(given[key], dtype=p.dtype) for key in shape]
        return -getattr(torch.distributions, name)(*before, p[:, 0], torch.exp(p[:, 1]), validate_args=False).log_prob(
            t
        )

    function, constant = f"torch.distributions.{name}.log_prob", density(loss)
    return Version(loss, function, _of_arrays(call), by_torch(call), takes=proper, constant=constant)


VERSIONS = [
    _torch("squared_error", "mse_loss"),
    _torch("absolute_error", "l1_loss"),
    _torch("huber", "huber_loss"),
    _torch(
        "huber",
        "smooth_l1_loss",
        lambda p, t, delta: functional.smooth_l1_loss(p, t, beta=delta, reduction="none"),
        takes=lambda given: np.isfinite(given["delta"]),
        factor=lambda given: given["delta"],
    ),
    _torch("binary_cross_entropy", "binary_cross_entropy"),
    _torch(
        "logistic",
        "binary_cross_entropy_with_logits",
        _logistic,
        takes=lambda given: given["label_smoothing"] == 0,
    ),
    _torch(
        "logistic",
        "soft_margin_loss",
        lambda p, t, **_: functional.soft_margin_loss(p, 2 * t - 1, reduction="none"),
        takes=_plain_logistic,
        hard=True,
    ),
    _torch(
        "softmax_cross_entropy",
        "cross_entropy",
        _cross_entropy,
        takes=lambda given: given["label_smoothing"] == 0 or given["class_weights"] is None,
    ),
    _torch("softmax_cross_entropy_soft", "cross_entropy", note=" of probabilities"),
    _torch(
        "weston_watkins",
        "multi_margin_loss",
        lambda p, t: functional.multi_margin_loss(p, t.long(), reduction="none"),
        factor=3.0,
    ),
    _torch(
        "one_versus_rest",
        "multilabel_soft_margin_loss",
        lambda p, t: functional.multilabel_soft_margin_loss(
            p, functional.one_hot(t.clamp(0, 2).long(), 3).to(p.dtype), reduction="none"
        ),
        note=" of one-hot labels",
        factor=3.0,
    ),
    _torch(
        "kl_divergence",
        "kl_div",
        lambda p, t: functional.kl_div(functional.log_softmax(p, -1), t, reduction="none").sum(-1),
        note=" of log_softmax",
    ),
    _torch(
        "poisson",
        "poisson_nll_loss",
        lambda p, t, full: functional.poisson_nll_loss(p, t, log_input=True, reduction="none"),
        takes=_default,
    ),
    _torch("gaussian_nll", "gaussian_nll_loss", _gaussian, note=" of exp"),
    _density("gaussian_nll", "Normal"),
    _density("laplace_nll", "Laplace"),
    _density("student_t_nll", "StudentT", "df"),
    _torch(
        "cosine_distance",
        "cosine_embedding_loss",
        lambda p, t: functional.cosine_embedding_loss(p, t, torch.ones(len(p), dtype=p.dtype), reduction="none"),
    ),
]
