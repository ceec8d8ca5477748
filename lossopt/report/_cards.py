"""The cards as tables: one row a loss, or all that is claimed about one."""

import inspect
import math
from typing import Any

from .. import losses
from ..losses._kinds import Task
from ._results import Row


def card_rows(task: Task | None = None) -> list[Row]:
    """One row for each registered loss, or those of one task, with what a reader chooses a loss by."""
    return [_row(losses.get(name)) for name in losses.names(task)]


def _row(loss: losses.Loss) -> Row:
    card = losses.card(loss)
    return {
        "loss": card.name,
        "task": card.task,
        "convex": card.convex,
        "smooth": card.differentiable,
        "steepest slope": card.lipschitz,
        "largest curvature": card.smoothness,
        "outlier's pull": _pull(card),
        "asks for": card.elicits,
        "hyperparameters": ", ".join(f"{name}={_short(v)}" for name, v in losses.hyperparameters(loss).items()),
        "reference": card.reference,
    }


def _pull(card: losses.LossCard) -> str:
    if card.redescending:
        return "fades"
    return "unbounded" if card.lipschitz == math.inf else "bounded"


def card_facts(loss: losses.Loss) -> dict[str, Any]:
    """Every claim about a loss, at the hyperparameters that are bound or the defaults.

    Raises:
        ValueError: the loss has no card.
    """
    card = losses.card(loss)
    fields = {name: getattr(card, name) for name in card.__dataclass_fields__ if name != "hyperparameters"}
    settings = {
        name: f"{_short(value)} in {card.hyperparameters[name]}" if name in card.hyperparameters else _short(value)
        for name, value in losses.hyperparameters(loss).items()
    }
    derived = {"convex": card.convex, "bounded": card.bounded, "differentiable": card.differentiable}
    return {"name": fields.pop("name"), "hyperparameters": settings, **derived, **fields}


def description(loss: losses.Loss) -> str:
    """The docstring of a loss."""
    return inspect.getdoc(losses.unbound(loss)) or "No description."


def _short(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
