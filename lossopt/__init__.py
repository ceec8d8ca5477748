"""lossopt: what does the choice of a loss function do to a model?

The names are loaded on first use, so that `lossopt --help` answers without importing JAX.
"""

import importlib
import sys
import types
from typing import Any, TYPE_CHECKING


if TYPE_CHECKING:
    from . import (
        analysis as analysis,
        asymptotics as asymptotics,
        data as data,
        losses as losses,
        models as models,
        plots as plots,
        report as report,
        scale as scale,
        trace as trace,
    )
    from .asymptotics import (
        asymptotic_variance as asymptotic_variance,
        efficiency as efficiency,
        gross_error_sensitivity as gross_error_sensitivity,
        tune as tune,
    )
    from .cost import (
        cost as cost,
        mae as mae,
        mse as mse,
        per_example as per_example,
        rmse as rmse,
        weighted_sum as weighted_sum,
    )
    from .losses import bind as bind, card as card, LossCard as LossCard
    from .properties import check as check, Report as Report
    from .reductions import (
        conditional_value_at_risk as conditional_value_at_risk,
        mean as mean,
        root_mean as root_mean,
        tilted as tilted,
        total as total,
        trimmed_mean as trimmed_mean,
    )
    from .solve import Solution as Solution, solve as solve
    from .status import Status as Status
    from .sweep import Sweep as Sweep, sweep as sweep
    from .train import Fit as Fit, fit as fit, minimise as minimise


__version__ = "0.1.0"

_HOME = {
    "asymptotics": ("asymptotic_variance", "efficiency", "gross_error_sensitivity", "tune"),
    "cost": ("cost", "mae", "mse", "per_example", "rmse", "weighted_sum"),
    "losses": ("bind", "card", "LossCard"),
    "properties": ("check", "Report"),
    "reductions": ("conditional_value_at_risk", "mean", "root_mean", "tilted", "total", "trimmed_mean"),
    "solve": ("Solution", "solve"),
    "status": ("Status",),
    "sweep": ("Sweep", "sweep"),
    "train": ("Fit", "fit", "minimise"),
}
_PUBLIC = {name: module for module, names in _HOME.items() for name in names}
_MODULES = (
    "analysis", "asymptotics", "data", "losses", "models", "plots", "properties", "report", "scale", "status", "trace",
    "train",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC, *_MODULES})


class _Index(types.ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # The import system binds the module `lossopt.cost` here, where the function of that name belongs.
        if isinstance(value, types.ModuleType) and name in _PUBLIC:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Index
