"""Every loss again, from the textbook's formula, in extended precision with exact derivatives: what is true.

A `Taylor` carries the coefficients of a function at one point through arithmetic, so a formula written once gives the
value and three derivatives. Nothing is shared with the library.
"""

from typing import Any

from mpmath import mp, mpf

from ._exact import Exact as Exact
from ._taylor import digits, Taylor
from .binary import BINARY
from .counts import COUNTS
from .distributions import distribution_truth as distribution_truth, DISTRIBUTIONS as DISTRIBUTIONS
from .logits import LOGITS as LOGITS, logits_truth as logits_truth
from .multiclass import shares_truth as shares_truth, softmax_truth as softmax_truth
from .regression import REGRESSION
from .relative import JETS as JETS, jets as jets
from .robust import ROBUST


# Functions of r = prediction - target, and functions of the prediction and the target.
OF_RESIDUAL = REGRESSION | ROBUST
OF_PAIR = BINARY | COUNTS


def truth(name: str, prediction: float, target: float, hyperparameters: dict[str, Any]) -> list[mpf]:
    """The loss of one number and its first three derivatives in the prediction, from the exact values of the floats."""
    with mp.workdps(digits(prediction - target) if name in OF_RESIDUAL else digits(prediction)):
        settings = {key: None if value is None else mpf(value) for key, value in hyperparameters.items()}
        x = mpf(prediction) - (mpf(target) if name in OF_RESIDUAL else 0)
        variable = Taylor.variable(x)
        found = (
            OF_RESIDUAL[name](variable, **settings)
            if name in OF_RESIDUAL
            else OF_PAIR[name](variable, mpf(target), **settings)
        )
        return [+d for d in found.derivatives()]
