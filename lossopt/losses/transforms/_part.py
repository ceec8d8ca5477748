"""What every transform does with the loss inside: take it as a pytree, and read its card a field at a time."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import jax

from .._card import LossCard
from .._register import check_hyperparameters, claim, claims, has_card, Loss


def part(loss: Any) -> jax.tree_util.Partial:
    """The loss as a pytree whose leaves are its bound hyperparameters.

    Raises:
        TypeError: it is not a function.
    """
    if not callable(loss):
        raise TypeError(f"loss={loss!r} is not a loss: pass a function of (prediction, target), as lossopt.losses has.")
    if isinstance(loss, functools.partial):
        return jax.tree_util.Partial(loss.func, *loss.args, **loss.keywords)
    return jax.tree_util.Partial(loss)


def inherited(loss: Loss, *fields: str) -> dict[str, Callable[[], Any]]:
    """Claims of the loss inside that hold for the result as well, each evaluated when it is asked for."""
    return {field: functools.partial(claim, loss, field) for field in fields}


def shell(transform: str, *losses: Loss) -> dict[str, Any]:
    """The name, task, kinds of arguments and reference that the result has from the losses inside."""
    cards = [claims(loss) for loss in losses]
    ((prediction, target),) = arguments(losses)
    references = dict.fromkeys(card.reference for card in cards if card.reference)
    return {
        "name": f"{transform}({', '.join(card.name for card in cards)})",
        "task": cards[0].task,
        "prediction": prediction,
        "target": target,
        "reference": "; ".join(references),
    }


def arguments(losses: Iterable[Loss]) -> set[tuple[Any, Any]]:
    """The kinds of prediction and target that the losses with cards take; 0 or 1 is a number in [0, 1] too."""
    kinds = {(claims(loss).prediction, claims(loss).target) for loss in losses if has_card(loss)}
    narrowed = {("logit", "binary"), ("logit", "unit")}
    return kinds - {("logit", "unit")} if narrowed <= kinds else kinds


def unclaimed(**fields: Any) -> LossCard:
    """A card on which nothing is claimed but what is given."""
    nothing = (
        "kinks", "lipschitz", "smoothness", "least_curvature", "supremum", "redescending", "symmetric", "tails",
        "zero_at_perfect_fit", "non_negative",
    )  # fmt: skip
    given: dict[str, Any] = dict.fromkeys(nothing) | fields
    return LossCard(**given)


def times_factor(factor: float, value: float | None) -> float | None:
    """The product, where there is a value."""
    return None if value is None else factor * value


def require_residual(loss: Loss, transform: str) -> None:
    """Raise ValueError where a card says that the loss is not one of a residual."""
    if has_card(loss) and not claims(loss).of_residual:
        raise ValueError(f"{transform} is for losses of a residual, and {claims(loss).name} is not one.")


def require_one_kind(losses: Iterable[Loss], transform: str) -> None:
    """Raise ValueError where cards say that the losses take different kinds of prediction or target."""
    if len(kinds := arguments(losses)) > 1:
        listed = "; ".join(f"{prediction} and {target}" for prediction, target in sorted(kinds))
        raise ValueError(f"{transform} needs losses of one kind of prediction and target, but these take {listed}.")


def checked(loss: jax.tree_util.Partial) -> Loss:
    """The loss; ValueError where a concrete hyperparameter of it lies outside its domain."""
    check_hyperparameters(loss, loss.keywords)
    return loss


def curvature(loss: Loss, x: float) -> jax.Array:
    """The second derivative at a residual (or a logit, of class 1)."""
    target = 0.0 if claims(loss).task == "regression" else 1.0
    return jax.grad(jax.grad(loss))(x, target)
