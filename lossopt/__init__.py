"""lossopt: what does the choice of a loss function do to a model?

The losses, costs and models are imported at once; what fits, solves, measures and draws is imported when it is first used.
"""

import importlib
from typing import Any, TYPE_CHECKING

from . import losses as losses, models as models
from .cost import (
    cost as cost,
    mae as mae,
    mean as mean,
    mse as mse,
    per_example as per_example,
    rmse as rmse,
    root_mean as root_mean,
    total as total,
    weighted_sum as weighted_sum,
)
from .losses import bind as bind, card as card, LossCard as LossCard
from .solve import Solution as Solution, solve as solve
from .status import Status as Status


if TYPE_CHECKING:
    from . import analysis as analysis, data as data, plots as plots, report as report, trace as trace
    from .properties import check as check, Report as Report
    from .train import Fit as Fit, fit as fit, minimise as minimise


__version__ = "0.1.0"

_LATER = {
    "check": "properties",
    "Fit": "train",
    "fit": "train",
    "minimise": "train",
    "Report": "properties",
}
_PARTS = ("analysis", "data", "plots", "properties", "report", "trace", "train")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    if name in _PARTS:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'lossopt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_PARTS})
