"""Which algorithm minimises a loss: read from its card, or named by the caller."""

from .. import losses
from ._piecewise import BY_CLASS, kind_of
from ._traits import smooth, traits
from .rounding import may_be_rounded


METHODS = ("least_squares", "newton", "lbfgs", "interior_point", "concave_convex", "proximal_newton", "rounding")

# The number of coefficients from which on their Hessian is too large, and of those of several scores from which on it
# is better not needed.
_LARGE, _MANY = 400, 30


def choose_method(
    loss: losses.Loss, named: str | None, coefficients: int, *, absolute: bool = False, in_blocks: bool = False
) -> str:
    """The method to use for a model of about so many coefficients.

    `absolute`: with a penalty on absolute weights; `in_blocks`: the table is better not had whole.

    Raises:
        ValueError: the named method does not exist or does not fit, or there is none; the sentence says what to do.
    """
    if named is not None and named not in METHODS:
        raise ValueError(f"method={named!r}: use one of {', '.join(METHODS)}.{losses.nearest(named, METHODS)}")
    label = losses.label(loss)
    if not losses.has_card(loss) and named is None:
        raise ValueError(
            f"{label} has no card that tells how to minimise it: pass method='newton' if it is smooth, "
            "else use lossopt.fit."
        )
    possible = _possible(loss)
    if absolute:
        possible = _possible_with_l1(loss)
        if not possible:
            raise ValueError(
                f"l1 needs a loss that is smooth and convex, or piecewise linear in one score, and {label} is not "
                "known to be that: use l2, or a loss that is."
            )
    if in_blocks and possible[:1] == ["least_squares"]:
        possible = [*possible[1:], "least_squares"]
    if not possible:
        raise ValueError(f"There is no exact method for {label} yet: use lossopt.fit.")
    if named is not None and named not in possible:
        raise ValueError(f"method={named!r} does not fit {label}: use {' or '.join(possible)}, or leave it out.")
    large = coefficients >= _LARGE and possible[0] == "newton" and traits(loss).convex
    return named or ("lbfgs" if large else possible[0])


def lbfgs_first(loss: losses.Loss, columns: int, scores: int) -> bool:
    """Whether, of a table that is not large, L-BFGS is likely to find the minimum before Newton's method would."""
    return scores > 1 and columns * scores >= _MANY and traits(loss).convex


def _possible(loss: losses.Loss) -> list[str]:
    """The methods that fit a loss, the best first; of one without a card nothing but smoothness can be hoped for."""
    if not losses.has_card(loss):
        return ["newton", "lbfgs"]
    fits = {
        "least_squares": losses.constant_curvature(loss) is not None,
        "interior_point": kind_of(loss) is not None,
        "concave_convex": losses.unbound(loss) is losses.ramp,
        "rounding": may_be_rounded(loss),
        "newton": smooth(loss),
        "lbfgs": smooth(loss),
    }
    return [method for method, fit in fits.items() if fit]


def _possible_with_l1(loss: losses.Loss) -> list[str]:
    if kind_of(loss) not in (None, *BY_CLASS):
        return ["interior_point"]
    known = losses.has_card(loss) and smooth(loss) and traits(loss).convex
    return ["proximal_newton"] if known else []
