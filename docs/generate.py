"""Write what the documentation repeats from the code: the README's table of losses, from their cards.

`python docs/generate.py` rewrites it in place; the tests fail where it is out of date.
"""

import math
import pathlib

import lossopt as lo
from lossopt import losses


README = pathlib.Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- losses: python docs/generate.py -->", "<!-- end of losses -->"
HEADER = "| loss | formula | convex | smooth | an outlier's pull | best constant reports | in optax |"


def row(name: str) -> str:
    """One loss, at its default hyperparameters."""
    card = lo.card(losses.get(name))
    hyper = ", ".join(f"{key}={value:g}" for key, value in losses.hyperparameters(losses.get(name)).items() if value)
    cells = [
        f"`{name}`" + (f" ({hyper})" if hyper else ""),
        f"$`{card.formula}`$",
        "yes" if card.convex else "no",
        "yes" if card.differentiable else "has a kink",
        pull(card),
        card.elicits or "–",
        ", ".join(f"`{alias.rsplit('.', 1)[1]}`" + f" × {f:g}" * (f != 1) for alias, f in card.aliases.items()),
    ]
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def pull(card: losses.LossCard) -> str:
    """What one example can do to a fit."""
    if card.redescending:
        return "fades to 0"
    return "unbounded" if card.lipschitz == math.inf else f"≤ {card.lipschitz:.4g}"


def table() -> str:
    """All losses as Markdown."""
    rule = "|" + " --- |" * HEADER.count(" | ") + " --- |"
    return "\n".join([HEADER, rule, *map(row, losses.names())])


def readme(text: str) -> str:
    """The README with its table brought up to date."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(readme(README.read_text()))
