"""The contests of `benchmarks.solve` and `benchmarks.scaling`, one file a kind."""

from collections.abc import Callable

from ._contest import Contest as Contest, SAMPLE as SAMPLE
from ._hold import Held as Held, hold as hold, scaled as scaled
from .classification import (
    hinge_large,
    logistic_correlated,
    logistic_large,
    logistic_many,
    softmax_large,
    softmax_medium,
    squared_hinge_large,
)
from .counts import gamma_large, poisson_large
from .quantiles import lad_many, quantile_large
from .robust import huber_large, huber_many
from .sparse import lasso_large, lasso_logistic


CONTESTS: dict[str, Callable[..., Contest]] = {
    contest.__name__: contest
    for contest in (
        huber_many,
        lad_many,
        logistic_many,
        quantile_large,
        hinge_large,
        lasso_logistic,
        lasso_large,
        squared_hinge_large,
        softmax_large,
        softmax_medium,
        huber_large,
        logistic_large,
        logistic_correlated,
        poisson_large,
        gamma_large,
    )
}
