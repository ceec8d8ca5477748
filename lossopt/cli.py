"""The command `lossopt`: what losses there are, what one does, and which suits a table of data.

Everything but tyro is imported when a command runs, so that `--help` answers at once. JSON goes to stdout, what people
read to stderr. Exit codes: 0; 1 if the command failed, or a loss is not what its card says; 2 for wrong usage; 130.
"""

import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from . import arguments
from .arguments import usage, UsageError


Task = Literal["regression", "binary", "multiclass", "count", "distribution"]


@dataclass(frozen=True, kw_only=True)
class Common:
    """The flags that every command has."""

    json: bool = False
    """the answer as JSON on stdout"""
    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """nothing on stderr but errors"""


@dataclass(frozen=True, kw_only=True)
class Losses(Common):
    """List the losses and what their cards say."""

    task: Task | None = None
    """those for one kind of target only"""


@dataclass(frozen=True, kw_only=True)
class Show(Common):
    """Describe one loss: formula, constants at the given hyperparameters, reference."""

    loss: tyro.conf.Positional[str]
    """a name, with hyperparameters if they are not the defaults: huber:delta=1.345"""
    plot: Path | None = None
    """draw value, slope and curvature to this .png or .svg file"""


@dataclass(frozen=True, kw_only=True)
class Check(Common):
    """Measure a loss, registered or your own, and compare it with its card if it has one."""

    loss: tyro.conf.Positional[str | None] = None
    """a name (huber:delta=2), or a function in a file of yours (my_losses.py:my_loss); all losses if it is left out"""
    task: Task | None = None
    """of a function of yours: what its targets are; without a loss: those for one kind of target only"""


@dataclass(frozen=True, kw_only=True)
class Compare(Common):
    """Fit several losses to one table and compare coefficients, errors on held-out rows, and outliers."""

    table: tyro.conf.Positional[str]
    """a .csv file with a header, or the name of a table that ships with lossopt (stackloss)"""
    target: str | None = None
    """of a .csv file: the column to predict"""
    features: tuple[str, ...] = ()
    """of a .csv file: the columns to predict it from; all others if left out"""
    losses: tuple[str, ...] = ()
    """what to compare, as for `show` and `check`; a usual choice if left out"""
    l2: float = 0.0
    """penalty on the weights of the standardised features"""
    folds: int = 5
    """into how many parts the rows are divided, each held out once"""
    unit: float | None = None
    """what 1 means in a loss's threshold, in the target's unit; by default the standard deviation of the noise"""
    seed: int = 0
    """of the division into folds"""
    out: Path | None = None
    """a folder for the table, the curves and the plots"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    about = "What does the choice of a loss function do to a model?"
    kinds = Losses | Show | Check | Compare
    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitSubcommandPrefixes)
    command: Any = tyro.cli(kinds, prog="lossopt", description=about, args=argv, config=config)  # type: ignore[call-overload]
    try:
        arguments.check_once(sys.argv[1:] if argv is None else argv)
        import jax

        jax.config.update("jax_enable_x64", True)
        return _COMMANDS[type(command)](command)
    except KeyboardInterrupt:
        print("lossopt: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read stdout has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a person at a terminal is told what is wrong, not where in the code
        print(f"lossopt: {arguments.sentence(error, _own_files(command))}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1


def _own_files(command: Any) -> list[str]:
    """The files whose functions a command calls."""
    texts = (getattr(command, "loss", None), *getattr(command, "losses", ()))
    return [text.split(".py:")[0] + ".py" for text in texts if text and ".py:" in text]


def list_losses(command: Losses) -> int:
    """`lossopt losses`."""
    from . import losses, report

    rows = report.card_rows(command.task)
    _answer(command, [report.card_facts(losses.get(row["loss"])) for row in rows])
    shown = ["loss", "task", "convex", "smooth", "outlier's pull", "asks for", "hyperparameters"]
    shown.remove("task" if command.task else "hyperparameters")
    brief = [{name: row[name] for name in shown} for row in rows]
    report.print_table(report.stderr(quiet=command.quiet), f"{len(rows)} losses", brief)
    return 0


def show(command: Show) -> int:
    """`lossopt show`."""
    from . import plots, report

    _, loss = arguments.loss(command.loss)
    facts = usage(report.card_facts, loss)
    if command.plot:
        usage(plots.save, plots.portrait(loss), command.plot)
    _answer(command, facts)
    console = report.stderr(quiet=command.quiet)
    console.print(report.description(loss), markup=False, soft_wrap=True)
    rows = [
        {"claim": name, "value": value if isinstance(value, float) else _text(value)}
        for name, value in facts.items()
        if value is not None
    ]
    report.print_table(console, f"The card of {facts['name']}", rows)
    return 0


def check(command: Check) -> int:
    """`lossopt check LOSS`, or of every loss."""
    from . import losses, properties, report

    if command.loss is None:
        return _check_all(command)
    _, loss = arguments.loss(command.loss)
    task = command.task
    if losses.has_card(loss):
        task = None
        if command.task not in (None, losses.card(loss).task):
            raise UsageError(f"{command.loss} is a loss of {losses.card(loss).task} targets: leave --task out.")
    with report.showing(report.stderr(quiet=command.quiet), f"measuring {command.loss}"):
        found = properties.check(loss, task=task)
    _answer(command, dataclasses.asdict(found) | {"agrees": found.agrees})
    report.stderr(quiet=command.quiet).print(str(found), markup=False, soft_wrap=True)
    return 0 if found.agrees else 1


def _check_all(command: Check) -> int:
    """Every loss at its defaults: how many claims of its card were measured, and which were refuted."""
    from . import losses, properties, report

    console = report.stderr(quiet=command.quiet)
    rows: list[dict[str, Any]] = []
    for name in losses.names(command.task):
        with report.showing(console, f"measuring {name}"):
            findings = properties.check(losses.get(name)).findings
        refuted = [finding.field for finding in findings if not finding.agrees]
        rows.append({"loss": name, "claims": len(findings), "refuted": ", ".join(refuted)})
    wrong = sum(bool(row["refuted"]) for row in rows)
    _answer(command, rows)
    total = sum(row["claims"] for row in rows)
    report.print_table(console, f"{total} claims of {len(rows)} losses measured; {wrong} losses refuted", rows)
    return 1 if wrong else 0


def compare(command: Compare) -> int:
    """`lossopt compare`."""
    import jax

    from . import analysis, border, models, report

    data, about = arguments.table(command.table, command.target, command.features)
    of_one_score = {"regression": models.linear, "binary": models.logistic}
    model = of_one_score.get(about.task) or models.softmax(len(about.classes))
    chosen = arguments.distinct(command.losses or USUAL[about.task])
    for loss in chosen.values():
        usage(border.checked, loss, data, model)
    _check_options(command)
    labels = usage(analysis.folds, jax.random.key(command.seed), about.rows, command.folds)
    console = report.stderr(quiet=command.quiet)
    with report.showing(console, about.name) as progress:
        unit = analysis.unit_of(data, model) if command.unit is None else command.unit
        options: dict[str, Any] = {"model": model, "l2": command.l2, "labels": labels, "unit": unit}
        found = {
            name: analysis.assess(chosen[name], data, **options) for name in progress(list(chosen), "fitting losses")
        }
    results = report.comparison(found, data, about, unit=unit, config={"seed": command.seed, "folds": command.folds})
    files = report.save(results, command.out) if command.out else {}
    rows = [{**row, "outliers": _listed(row["outliers"])} for row in results.rows]
    _answer(command, {"config": results.config, "losses": rows, "files": [str(path) for path in files.values()]})
    report.print_comparison(console, results, files)
    return 0


def _check_options(command: Compare) -> None:
    from . import report

    if command.unit is not None and not 0 < command.unit < math.inf:
        raise UsageError(f"--unit {command.unit}: give a number above 0, in the unit of the target.")
    if not 0 <= command.l2 < math.inf:
        raise UsageError(f"--l2 {command.l2}: a penalty is a number of at least 0.")
    usage(report.check_options, command.seed, command.out, [report.COMPARISON])


def _listed(rows: str | None) -> list[int] | None:
    return None if rows is None else [int(row) for row in rows.split()]


USUAL = {
    "regression": ("squared_error", "absolute_error", "huber:delta=1.345", "tukey"),
    "binary": ("logistic", "squared_hinge", "hinge"),
    "multiclass": ("softmax_cross_entropy",),
}
_COMMANDS: dict[type, Callable[[Any], int]] = {Losses: list_losses, Show: show, Check: check, Compare: compare}


def _answer(command: Common, value: Any) -> None:
    if command.json:
        from . import report

        print(json.dumps(report.plain(value), ensure_ascii=False, indent=1), flush=True)


def _text(value: Any) -> str:
    if isinstance(value, dict | tuple | list):
        items = [f"{k}: {v}" for k, v in value.items()] if isinstance(value, dict) else map(str, value)
        return ", ".join(items) or "none"
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)
