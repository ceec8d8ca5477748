"""The losses: pure functions of one example, `loss(prediction, target, *, hyperparameter=default) -> scalar`."""

from ._arguments import Scalar as Scalar, Vector as Vector
from ._card import (
    bind as bind,
    card as card,
    check_hyperparameters as check_hyperparameters,
    claims as claims,
    get as get,
    has_card as has_card,
    hyperparameters as hyperparameters,
    Interval as Interval,
    Loss as Loss,
    LossCard as LossCard,
    names as names,
    nearest as nearest,
    register as register,
    Task as Task,
    TARGETS as TARGETS,
    VECTORS as VECTORS,
)
from .regression import (
    absolute_error as absolute_error,
    expectile as expectile,
    half_squared_error as half_squared_error,
    huber as huber,
    log_cosh as log_cosh,
    pseudo_huber as pseudo_huber,
    quantile as quantile,
    squared_error as squared_error,
)
from .robust import cauchy as cauchy, general_robust as general_robust, tukey as tukey
from .binary import (
    binary_cross_entropy as binary_cross_entropy,
    focal as focal,
    hinge as hinge,
    logistic as logistic,
    squared_hinge as squared_hinge,
)
from .transforms import one_of as one_of
from .multiclass import (
    categorical_cross_entropy as categorical_cross_entropy,
    softmax_cross_entropy as softmax_cross_entropy,
    softmax_cross_entropy_soft as softmax_cross_entropy_soft,
)
