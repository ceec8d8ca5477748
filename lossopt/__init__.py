"""lossopt: what does the choice of a loss function do to a model?"""

from . import data as data, losses as losses, models as models
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
from .properties import check as check, Report as Report
from .solve import Solution as Solution, solve as solve
from .status import Status as Status
from .train import Fit as Fit, fit as fit, minimise as minimise


__version__ = "0.1.0"
