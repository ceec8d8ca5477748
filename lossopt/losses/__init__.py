"""The losses: pure functions of one example, `loss(prediction, target, *, hyperparameter=default) -> scalar`."""

from ._arguments import floats as floats, Scalar as Scalar, Vector as Vector
from ._card import LossCard as LossCard
from ._kinds import Interval as Interval, Task as Task, TARGETS as TARGETS, VECTORS as VECTORS
from ._output import check_floating as check_floating, one_number as one_number
from ._register import (
    as_pytree as as_pytree,
    bind as bind,
    card as card,
    check_callable as check_callable,
    check_hyperparameters as check_hyperparameters,
    check_single as check_single,
    claim as claim,
    claims as claims,
    constant_curvature as constant_curvature,
    get as get,
    has_card as has_card,
    hyperparameters as hyperparameters,
    keywords as keywords,
    label as label,
    length as length,
    Loss as Loss,
    names as names,
    nearest as nearest,
    parts as parts,
    quadratic as quadratic,
    register as register,
    several as several,
    unbound as unbound,
)
from .regression import (
    absolute_error as absolute_error,
    half_squared_error as half_squared_error,
    huber as huber,
    log_cosh as log_cosh,
    pseudo_huber as pseudo_huber,
    squared_error as squared_error,
)
from .quantiles import (
    expectile as expectile,
    multi_quantile as multi_quantile,
    quantile as quantile,
    smooth_quantile as smooth_quantile,
)
from .shaped import (
    epsilon_insensitive as epsilon_insensitive,
    linex as linex,
    power_error as power_error,
    squared_epsilon_insensitive as squared_epsilon_insensitive,
)
from .relative import (
    absolute_percentage_error as absolute_percentage_error,
    squared_log_error as squared_log_error,
    symmetric_absolute_percentage_error as symmetric_absolute_percentage_error,
)
from .direction import cosine_distance as cosine_distance
from .robust import cauchy as cauchy, fair as fair, geman_mcclure as geman_mcclure, welsch as welsch
from .rejecting import (
    andrews as andrews,
    hampel as hampel,
    truncated_quadratic as truncated_quadratic,
    tukey as tukey,
)
from .general_robust import general_robust as general_robust, student_t as student_t
from .binary import binary_cross_entropy as binary_cross_entropy, logistic as logistic
from .margin import (
    exponential as exponential,
    hinge as hinge,
    modified_huber as modified_huber,
    perceptron as perceptron,
    smoothed_hinge as smoothed_hinge,
    squared_hinge as squared_hinge,
)
from .margin_robust import ramp as ramp, savage as savage, sigmoid_margin as sigmoid_margin, unhinged as unhinged
from .focal import focal as focal
from .binary_links import brier as brier, complementary_log_log as complementary_log_log, probit as probit
from .counts import binomial as binomial, negative_binomial as negative_binomial, poisson as poisson
from .amounts import gamma as gamma, inverse_gaussian as inverse_gaussian, tweedie as tweedie
from .distributions import (
    gaussian_nll as gaussian_nll,
    laplace_nll as laplace_nll,
    logistic_nll as logistic_nll,
)
from .student_nll import student_t_nll as student_t_nll
from .scores import crps_gaussian as crps_gaussian, crps_laplace as crps_laplace, crps_logistic as crps_logistic
from .intervals import interval_score as interval_score, weighted_interval_score as weighted_interval_score
from .transforms import (
    asymmetric as asymmetric,
    clipped as clipped,
    label_smoothed as label_smoothed,
    mixture as mixture,
    noise_corrected as noise_corrected,
    one_of as one_of,
    scaled as scaled,
    smoothed as smoothed,
)
from .multiclass import (
    categorical_cross_entropy as categorical_cross_entropy,
    softmax_cross_entropy as softmax_cross_entropy,
    softmax_cross_entropy_soft as softmax_cross_entropy_soft,
)
from .multiclass_margin import (
    crammer_singer as crammer_singer,
    multiclass_perceptron as multiclass_perceptron,
    one_versus_rest as one_versus_rest,
    weston_watkins as weston_watkins,
)
from .fenchel_young import fenchel_young as fenchel_young, sparsemax as sparsemax
from .multiclass_scores import (
    categorical_focal as categorical_focal,
    kl_divergence as kl_divergence,
    multiclass_brier as multiclass_brier,
    poly1 as poly1,
)
from .label_noise import (
    absolute_probability_error as absolute_probability_error,
    forward_corrected as forward_corrected,
    generalized_cross_entropy as generalized_cross_entropy,
    symmetric_cross_entropy as symmetric_cross_entropy,
)
