"""The pages of the catalogue, one a family: for every loss its picture, formula, card, use, and names elsewhere."""

import inspect
import math
from typing import Any

import matplotlib

import lossopt as lo
from lossopt import losses, plots


# Page -> its title, what it is about, and the modules of lossopt.losses whose losses are on it.
FAMILIES = {
    "regression": (
        "Regression",
        "Losses of a real prediction and a real target. r is the prediction less the target.",
        ("regression", "quantiles", "shaped", "relative", "direction"),
    ),
    "robust": (
        "Robust regression",
        "Losses under which an outlier loses its pull. Each is half the squared residual near 0; the default threshold "
        "gives 95 % efficiency at Gaussian noise of unit scale: multiply it by the scale of the noise, or see "
        "`lossopt.tune`. All but fair are non-convex: where a fit ends depends on where it starts.",
        ("robust", "rejecting", "general_robust"),
    ),
    "binary": (
        "Two classes",
        "Losses of a logit s (or, where named, a probability) and a target of 0 or 1. The margin m is s for class 1 "
        "and -s for class 0.",
        ("binary", "margin", "margin_robust", "focal", "binary_links"),
    ),
    "multiclass": (
        "Several classes",
        "Losses of a vector of logits z and an integer label (or, where named, a vector of probabilities).",
        ("multiclass", "multiclass_margin", "fenchel_young", "multiclass_scores", "label_noise"),
    ),
    "counts": (
        "Counts and positive amounts",
        "Losses of the logarithm of the mean (for binomial, of the log-odds). An offset is added to the prediction.",
        ("counts", "amounts"),
    ),
    "distributions": (
        "Distributions and intervals",
        "Losses of a prediction that is a whole distribution: a location and the logarithm of a scale, an interval, or "
        "several quantiles.",
        ("distributions", "student_nll", "scores", "intervals"),
    ),
}  # fmt: skip

CLAIMS = {
    "convex": "convex",
    "kinks": "kinks",
    "lipschitz": "largest slope",
    "smoothness": "largest curvature",
    "least_curvature": "least curvature",
    "supremum": "bound",
    "redescending": "pull fades far out",
    "symmetric": "symmetric",
    "origin": "order at a perfect fit",
    "tails": "growth of the tails",
    "zero_at_perfect_fit": "0 at a perfect fit",
    "non_negative": "never negative",
    "elicits": "best constant reports",
    "proper": "proper",
    "calibrated": "calibrated",
    "noise_symmetric": "unmoved by symmetric label noise",
    "efficiency": "Gaussian efficiency",
    "noise": "likelihood of",
}


def names_of(page: str) -> list[str]:
    """The losses on a page, in the order of the catalogue."""
    modules = FAMILIES[page][2]
    return [name for name in losses.names() if losses.get(name).__module__.rsplit(".", 1)[1] in modules]


def page(key: str, uses: dict[str, str]) -> str:
    """The whole page as Markdown."""
    title, about, _ = FAMILIES[key]
    names = names_of(key)
    index = "\n".join(f"- [{name}](#{name}): {uses[name]}" for name in names)
    head = f"# {title}\n\n{about} Every claim below is measured by the tests (`lossopt.check`).\n\n{index}\n"
    return "\n".join([head, *(entry(name, uses[name]) for name in names)])


def entry(name: str, use: str) -> str:
    """One loss."""
    loss = losses.get(name)
    card = lo.card(loss)
    parts = [
        f"## {name}\n\n**When to use it.** {use}",
        f"![Value, slope and curvature of {name}.](images/{name}.svg)",
        f"```math\n{card.formula}\n```",
        prose(loss),
        claims(card),
        hyperparameters(loss, card),
        elsewhere(card),
        f"Source: {card.reference}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def prose(loss: losses.Loss) -> str:
    """What the docstring says, up to its arguments."""
    text = inspect.getdoc(loss) or ""
    return text.split("\n\nArgs:")[0].strip()


def claims(card: losses.LossCard) -> str:
    """The card, a line of two cells a claim."""
    rows = [(label, text(getattr(card, field))) for field, label in CLAIMS.items() if getattr(card, field) is not None]
    return "\n".join(["| claim | at the default settings |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in rows)])


def text(value: Any) -> str:
    """A claim in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(text(item) for item in value) or "none"
    if isinstance(value, float | int):
        return "unbounded" if value == math.inf else "−∞" if value == -math.inf else f"{value:.6g}"
    return str(value)


def hyperparameters(loss: losses.Loss, card: losses.LossCard) -> str:
    """Their defaults and domains."""
    given = losses.hyperparameters(loss)
    shown = [f"`{name}` = {given[name]} in {domain}" for name, domain in card.hyperparameters.items()]
    return f"Hyperparameters: {'; '.join(shown)}." if shown else ""


def elsewhere(card: losses.LossCard) -> str:
    """The same loss in other libraries."""
    shown = [
        f"`{alias}`" + (f" (ours is {factor:g} times it)" if factor != 1 else "")
        for alias, factor in card.aliases.items()
    ]
    return f"Elsewhere: {', '.join(shown)}." if shown else ""


def picture(name: str, folder: Any) -> None:
    """Draw a loss. Its letters stay text, which is a quarter of the size of outlines."""
    figure = plots.portrait(losses.get(name))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
