"""What theory says of a robust loss before any data are seen: variance, efficiency, the pull of one bad point."""

from ._noise import (
    contaminated as contaminated,
    gaussian as gaussian,
    laplace as laplace,
    LogDensity as LogDensity,
    logistic as logistic,
    student as student,
)
from ._tune import tune as tune
from ._variance import (
    asymptotic_variance as asymptotic_variance,
    efficiency as efficiency,
    gross_error_sensitivity as gross_error_sensitivity,
)
