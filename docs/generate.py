"""Write what the documentation repeats from the code: the README's table of losses and the pages of the catalogue.

`python docs/generate.py` rewrites them in place, pictures included; the tests fail where a text is out of date.
"""

import math
import pathlib
import sys

import lossopt as lo
from lossopt import losses


sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import pages
from uses import USES


HERE = pathlib.Path(__file__).parent
README = HERE.parent / "README.md"
BEGIN, END = "<!-- losses: python docs/generate.py -->", "<!-- end of losses -->"
HEADER = "| loss | formula | convex | smooth | an outlier's pull | best constant reports |"


def row(name: str) -> str:
    """One loss, at its default hyperparameters."""
    card = lo.card(losses.get(name))
    cells = [
        f"`{name}`",
        f"$`{card.formula}`$",
        _word(card.convex),
        {True: "yes", False: "has a kink", None: "–"}[card.differentiable],
        pull(card),
        card.elicits or "–",
    ]
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _word(claim: bool | None) -> str:
    return {True: "yes", False: "no", None: "–"}[claim]


def pull(card: losses.LossCard) -> str:
    """What one example can do to a fit."""
    if card.redescending:
        return "fades to 0"
    if card.lipschitz is None:
        return "–"
    return "unbounded" if card.lipschitz == math.inf else f"≤ {card.lipschitz:.4g}"


def table() -> str:
    """All losses as Markdown, family by family."""
    parts = []
    for key, (title, _, _) in pages.FAMILIES.items():
        rule = "|" + " --- |" * HEADER.count(" | ") + " --- |"
        rows = [row(name) for name in pages.names_of(key)]
        parts.append("\n".join([f"**[{title}](docs/losses/{key}.md)**", "", HEADER, rule, *rows]))
    return "\n\n".join(parts)


def readme(text: str) -> str:
    """The README with its table brought up to date."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def texts() -> dict[pathlib.Path, str]:
    """Every page of the catalogue: where it is, and what it says."""
    return {HERE / "losses" / f"{key}.md": pages.page(key, USES) for key in pages.FAMILIES}


NUMERICS = """# Numerics, beside other libraries

Each loss, in every library that has it, on a grid of extreme inputs: 0, the smallest and the largest numbers, knots and
their neighbours, saturated logits, hyperparameters at their limits. The three numbers are the worst relative errors of
value, gradient and second derivative against the textbook's formula in extended precision, beyond what the rounding of
the inputs excuses; ∞ says that no digit is right (NaN, an infinity, or 0 for a number). A library is compared in its
own convention, at the hyperparameters that it has. `python -m benchmarks.numerics` measures it again.
"""


def numerics_page(folder: pathlib.Path) -> str:
    """The page of a run of the benchmark that has been saved."""
    from benchmarks import numerics
    from lossopt import report

    results = report.load(folder).results
    versions = ", ".join(f"{name} {version}" for name, version in results.config["versions"].items())
    verdicts = "\n".join(f"- {claim}" for claim in results.claims)
    return f"{NUMERICS}\nMeasured with {versions}.\n\n{verdicts}\n\n{numerics.table(results)}\n"


def main() -> None:
    """Rewrite everything; the page of numerics only where the benchmark has been run."""
    run = HERE.parent / "results" / "benchmarks" / "numerics"
    if run.exists():
        (HERE / "numerics.md").write_text(numerics_page(run))
    README.write_text(readme(README.read_text()))
    (HERE / "losses" / "images").mkdir(parents=True, exist_ok=True)
    for path, text in texts().items():
        path.write_text(text)
    for name in losses.names():
        pages.picture(name, HERE / "losses" / "images")


if __name__ == "__main__":
    import jax

    jax.config.update("jax_enable_x64", True)
    main()
