"""What an algorithm must know about a loss before it is compiled, read from the loss's card.

Hyperparameters may be traced, so a claim that depends on them is examined over their whole domain.
"""

import itertools
import math
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .. import losses
from ..losses._card import parameters


# Numbers at which a claim over a domain is examined: its ends, and where the families change.
_PROBES = (-float("inf"), -4.0, -1.0, 0.0, 0.01, 0.5, 0.99, 1.0, 1.5, 2.0, 4.0, float("inf"))


# Predictions that may be any numbers; where descent starts, unless a loss of the residual or of a logit says.
_RAW = ("real", "logit", "logits", "log mean", "location and log scale", "vector")
_STARTS: dict[str, Any] = {
    "log mean": "log mean",
    "location and log scale": "location and log scale",
    "vector": "least squares",
}


# Targets that are shares of an example, which a score far from any infinity may meet.
_SHARES = ("unit", "simplex", "successes")


# Transforms: sums of losses with factors; with these, what is convex or 0 at a perfect fit stays so; with the last it
# stays convex.
_SUMS = ("scaled", "asymmetric", "mixture")
_KEEPING = (*_SUMS, "smoothed")
_CONVEX = (*_KEEPING, "label_smoothed")


class Traits(NamedTuple):
    """Facts of a smooth loss on which its method depends. Hashable, so that equal ones compile once.

    Attributes:
        convex: for every hyperparameter that it may have; of a loss without a card as far as it was measured.
        residual: a function of prediction - target alone.
        vanishing: it falls towards its infimum, 0, without reaching it, as the prediction goes the right way for ever;
            of a log mean, where the target is 0.
        met: a prediction may meet its target, and then the slope is only rounding.
        positive: never below 0, as far as is known.
        linear: without any curvature: then its cost has a minimum only if the penalty gives it one.
        singular: a function of the residual of which the curvature is without bound.
        explosive: convex, a function of the residual, and exponential far out on some side.
        flat: convex, and of a curvature that may be 0 all around a prediction: then a minimum need not be one point.
        start: where descent starts: at zero, at least squares, or at the constant that fits a log mean, or a location
            and a log scale.
    """

    convex: bool
    residual: bool
    vanishing: bool
    met: bool = True
    positive: bool = True
    linear: bool = False
    singular: bool = False
    explosive: bool = False
    flat: bool = False
    start: Literal["zero", "least squares", "log mean", "location and log scale"] = "zero"


def traits(loss: losses.Loss) -> Traits:
    """The traits of a loss, from its card; of one without a card nothing is known."""
    if several := choices(loss):
        return _of_any(*map(traits, several))
    if not losses.has_card(loss):
        return Traits(False, False, False)
    card = losses.claims(loss)
    log_mean, convex = card.prediction == "log mean", _convex(loss)
    unbounded = callable(card.supremum) or card.supremum == float("inf")
    linear, bounded = _linear(loss), _bounded(loss)
    onwards = card.task not in ("regression", "distribution") and not _free(loss) and unbounded and not linear
    # Where it is not convex, a slope that fades far out proves nothing.
    vanishing = convex if log_mean else onwards
    return Traits(
        convex=convex,
        residual=card.of_residual,
        vanishing=vanishing,
        met=not vanishing or log_mean or card.target in _SHARES,
        positive=all(_claim(term, "non_negative") is not False for term in terms_of(loss)),
        linear=linear,
        singular=card.of_residual and not bounded,
        explosive=convex and card.of_residual and _claim(loss, "tails") == "exponential",
        # One whose curvature is bounded loses it by pieces, if at all, and not in a point.
        flat=convex and not vanishing and bounded and losses.constant_curvature(loss) is None,
        start=_STARTS.get(card.prediction, "least squares" if card.task == "regression" else "zero"),
    )


def _of_any(first: Traits, *others: Traits) -> Traits:
    """What holds of each, or may of some; nothing if they go to their minima in different ways."""
    every = (first, *others)
    if any((each.vanishing, each.linear, each.start) != (first.vanishing, first.linear, first.start) for each in every):
        return Traits(False, False, False)
    convex = all(each.convex for each in every)
    return first._replace(
        convex=convex,
        residual=all(each.residual for each in every),
        met=any(each.met for each in every),
        positive=all(each.positive for each in every),
        singular=any(each.singular for each in every),
        explosive=any(each.explosive for each in every),
        flat=convex and any(each.flat for each in every),
    )


def forgiving(loss: losses.Loss) -> bool:
    """Whether all examples may be classified so well that none costs anything."""
    if several := choices(loss):
        return any(map(forgiving, several))
    if not losses.has_card(loss):
        return False
    card = losses.claims(loss)
    return card.task in ("binary", "multiclass") and _free(loss) is not False


def smooth(loss: losses.Loss) -> bool:
    """Whether the card claims, for a raw score, a slope that nowhere jumps up."""
    return losses.claims(loss).prediction in _RAW and rising_kinks(loss) == ()


def choices(loss: losses.Loss) -> list[losses.Loss]:
    """The losses among which an index chooses; none of any other loss."""
    return _inside(loss, ("one_of",))


def terms_of(loss: losses.Loss) -> tuple[losses.Loss, ...]:
    """The losses that a loss is a sum of, without their factors; of any other the loss itself.

    Of a logit, where they have kinks for either label, whatever the label.
    """
    by_label = losses.has_card(loss) and losses.claims(loss).prediction == "logit"
    inside = _inside(loss, (*_SUMS, "label_smoothed") if by_label else _SUMS)
    return tuple(term for each in inside for term in terms_of(each)) if inside else (loss,)


def factor_of(loss: losses.Loss, prediction: Float[Array, "*k"]) -> Float[Array, ""]:
    """By how much a loss is more than the one that it is a multiple of, seen at a prediction for the target 1."""
    target = jnp.ones((), int if losses.claims(loss).target == "label" else prediction.dtype)
    return loss(prediction, target) / terms_of(loss)[0](prediction, target)


def rising_kinks(loss: losses.Loss) -> tuple[Any, ...] | None:
    """The kinks in which the slope jumps up, as the card measures them; None where that is not known.

    Where it jumps down, as where a loss is cut off, there is no minimum, and parabolas still lie above it.
    """
    if not losses.has_card(loss):
        return None
    if inside := _inside(loss, (*_SUMS, "clipped", "one_of")):
        several = [rising_kinks(each) for each in inside]
        return None if None in several else _together(kink for kinks in several for kink in kinks or ())
    if inside := _inside(loss, ("label_smoothed", "noise_corrected")):
        kinks = rising_kinks(inside[0])
        if not kinks:
            return kinks
        # Those of both classes; of several, differences of scores have them. Corrected, a loss may also fall in them.
        both = losses.claims(loss).prediction == "logit" and losses.label(loss) == "label_smoothed"
        return _together([*kinks, *(-kink for kink in kinks)]) if both else None
    largest = losses.claims(loss).smoothness
    if isinstance(largest, float) and math.isfinite(largest):
        return ()
    return losses.claim(loss, "kinks")


def _together(kinks: Iterable[Any]) -> tuple[Any, ...]:
    """Those that are numbers each once, in order, and then those that are traced."""
    numbers, others = set(), []
    for kink in kinks:
        others.append(kink) if isinstance(kink, jax.core.Tracer) else numbers.add(kink)
    return *sorted(numbers), *others


def _inside(loss: losses.Loss, transforms: tuple[str, ...]) -> list[losses.Loss]:
    """The losses inside a loss that is made by one of these transforms; none of any other."""
    return losses.parts(loss) if losses.label(loss) in transforms else []


def _free(loss: losses.Loss) -> Any:
    """Whether a perfect fit costs nothing."""
    if inside := _inside(loss, _KEEPING):
        return all(map(_free, inside))
    return _claim(loss, "zero_at_perfect_fit")


def _bounded(loss: losses.Loss) -> bool:
    """Whether the curvature is."""
    largest = _claim(loss, "smoothness")
    return largest is not None and not isinstance(largest, jax.core.Tracer) and math.isfinite(largest)


def _claim(loss: losses.Loss, field: str) -> Any:
    """A claim at the loss's hyperparameters, or at the default of one that is traced; None where nobody can tell."""
    defaults = losses.hyperparameters(losses.unbound(loss))
    known = {
        name: defaults.get(name, value) if isinstance(value, jax.core.Tracer) else value
        for name, value in losses.hyperparameters(loss).items()
    }
    try:
        return losses.claims(loss).claim(field, known)
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError):
        return None


def _linear(loss: losses.Loss) -> bool:
    if inside := _inside(loss, ("scaled", "mixture")):
        return all(map(_linear, inside))
    card = losses.claims(loss)
    return card.smoothness == card.least_curvature == 0


def _convex(loss: losses.Loss) -> bool:
    inside = _inside(loss, _CONVEX)
    if inside and all(losses.has_card(each) and _convex(each) for each in inside):
        return True
    card = losses.claims(loss)
    least = card.least_curvature
    if not callable(least):
        return least is not None and least >= 0
    values = losses.hyperparameters(loss)
    wanted = [parameter.name for parameter in parameters(least)]
    choices = [_probed(values[name], card.hyperparameters.get(name)) for name in wanted]
    try:
        every = (dict(zip(wanted, choice, strict=True)) for choice in itertools.product(*choices))
        found = [card.claim("least_curvature", values | choice) for choice in every]
        return all(value is not None and value >= 0 for value in found)
    except jax.errors.ConcretizationTypeError:
        # Of a transform whose hyperparameters are traced nobody can tell.
        return False


def _probed(value: Any, domain: losses.Interval | None) -> list[Any]:
    if domain is None or not isinstance(value, jax.core.Tracer):
        return [value]
    return [probe for probe in _PROBES if domain.contains(probe)]
