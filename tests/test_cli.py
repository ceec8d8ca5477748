"""The command line: what goes to stdout, what to stderr, exit codes, and one sentence for every mistake."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lossopt import arguments, bind, card, cli, data, losses, properties, solve


ROOT = Path(__file__).parent.parent

# Stands in for the package, so that only what the command itself imports is seen.
STUB = """
import sys, types
package = types.ModuleType("lossopt"); package.__path__ = [sys.argv[1]]; sys.modules["lossopt"] = package
from lossopt import cli
try:
    cli.main(sys.argv[2:])
finally:
    print(sorted({"jax", "numpy", "matplotlib", "optax"} & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("command", [[], ["losses"], ["show"], ["check"], ["compare"]])
def test_help_answers_without_importing_anything_heavy(command):
    run = [sys.executable, "-c", STUB, str(ROOT / "lossopt"), *command, "--help"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "usage: lossopt" in done.stdout
    assert done.stderr.strip() == "[]"


def test_help_of_the_installed_command_does_not_import_jax():
    run = [sys.executable, "-X", "importtime", "-m", "lossopt", "--help"]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT)
    assert not [line for line in done.stderr.splitlines() if line.split("|")[-1].strip() == "jax"]


def answer(capsys, *argv: str):
    code = cli.main([*argv, "--json", "--quiet"])
    out, err = capsys.readouterr()
    assert err == ""
    assert code == 0
    return json.loads(out)


def test_losses_are_listed_with_what_their_cards_say(capsys):
    rows = answer(capsys, "losses", "--task", "binary")
    assert [row["name"] for row in rows] == list(losses.names("binary"))
    assert {row["name"]: row["lipschitz"] for row in rows}["logistic"] == 1.0


def test_without_json_nothing_goes_to_stdout_and_the_table_to_stderr(capsys):
    assert cli.main(["losses"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert all(name in err for name in losses.names())


def test_a_loss_is_shown_at_the_hyperparameters_given(capsys, tmp_path):
    facts = answer(capsys, "show", "huber:delta=1.345", "--plot", str(tmp_path / "huber.svg"))
    assert facts["lipschitz"] == 1.345
    assert facts["efficiency"] == pytest.approx(card(bind(losses.huber, delta=1.345)).efficiency)
    assert (tmp_path / "huber.svg").read_text().startswith("<?xml")
    assert cli.main(["show", "tukey"]) == 0
    assert "Beaton" in capsys.readouterr().err


def test_a_loss_is_shown_at_hyperparameters_far_out(capsys):
    assert answer(capsys, "show", "huber:delta=1e300")["efficiency"] == 1.0
    assert answer(capsys, "show", "general_robust:c=1e-200")["smoothness"] is None


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from lossopt import losses\n\n"
        "def mine(prediction, target, *, power=1.5):\n    return abs(prediction - target) ** power\n\n"
        "def two(prediction, target):\n    return prediction * __import__('jax').numpy.ones(2)\n\n"
        "card = losses.LossCard(task='regression', prediction='real', target='real', formula='r', lipschitz=2.0)\n\n"
        "@losses.register(card)\n"
        "def wrong(prediction, target):\n    return losses.absolute_error(prediction, target)\n"
    )
    yield path
    losses._register._REGISTRY.pop("wrong", None)


def test_check_measures_a_function_in_a_file(capsys, script):
    found = answer(capsys, "check", f"{script}:mine:power=2")
    assert found["smoothness"] == pytest.approx(2.0, rel=1e-6)
    assert found["agrees"] is True


def test_check_of_every_loss_counts_the_claims(capsys, monkeypatch):
    monkeypatch.setattr(losses, "names", lambda task: ("squared_error", "hinge"))
    assert cli.main(["check"]) == 0
    assert "2 losses measured; 0 losses refuted" in " ".join(capsys.readouterr().err.split())
    rows = answer(capsys, "check")
    assert [row["loss"] for row in rows] == ["squared_error", "hinge"]
    assert all(row["claims"] >= 10 and not row["refuted"] for row in rows)


def test_the_tasks_of_the_command_line_are_those_of_the_losses():
    assert cli.Task == losses.Task


def test_check_answers_1_where_the_card_is_refuted(capsys, script):
    assert cli.main(["check", f"{script}:wrong"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "REFUTED" in err


def test_compare_gives_the_exact_fits_in_the_units_of_the_table(capsys, tmp_path):
    found = answer(
        capsys, "compare", "phones", "--losses", "squared_error", "huber:delta=2", "--unit", "5", "--folds", "3",
        "--out", str(tmp_path),
    )  # fmt: skip
    least, huber = found["losses"]
    direct = solve(bind(losses.huber, delta=10.0), data.load("phones")).params
    assert huber["b(year)"] == pytest.approx(float(direct.weights[0]), rel=1e-7)
    assert huber["b(intercept)"] == pytest.approx(float(direct.bias), rel=1e-7)
    assert (huber["loss"], huber["fit"], huber["status"]) == ("huber, delta=2", "exact", "converged")
    # R's documentation of the table: the calls of 1964 to 1969 are counted in another unit.
    assert least["outliers"] == []
    assert set(range(14, 20)) <= set(huber["outliers"])
    assert huber["median_absolute"] < least["median_absolute"]
    assert all(Path(path).exists() for path in found["files"])
    assert {"errors.svg", "fits.svg", "results.csv"} <= {Path(path).name for path in found["files"]}


def test_compare_reads_a_table_and_tells_people_on_stderr(capsys, tmp_path):
    path = tmp_path / "table.csv"
    x = np.linspace(-2, 2, 30)
    wins = (x + np.sin(9 * x) > 0).astype(int)
    path.write_text(
        "x,group,won\n" + "".join(f"{a},{'ab'[i % 2]},{w}\n" for i, (a, w) in enumerate(zip(x, wins, strict=True)))
    )
    assert (
        cli.main(["compare", str(path), "--target", "won", "--losses", "squared_hinge", "--folds", "2", "--l2", "0.1"])
        == 0
    )
    out, err = capsys.readouterr()
    assert out == ""
    for expected in ("error rate", "log loss", "group=b", "squared_hinge"):
        assert expected in err
    assert "Smallest: error rate by squared_hinge; log loss by squared_hinge." in err


@pytest.mark.parametrize("suffix", ["csv", "CSV"])
def test_compare_finds_a_line_whatever_the_size_of_its_columns(capsys, tmp_path, suffix):
    x = np.arange(30.0)
    y = 2 * x + 1 + np.random.default_rng(0).normal(size=30)
    fits = []
    for wide, tall in ((1.0, 1.0), (1e200, 1e-80), (1e-180, 1e100), (1e307, 1.0)):
        path = tmp_path / f"{wide:g} {tall:g}.{suffix}"
        path.write_text("x,y\n" + "".join(f"{wide * a},{tall * b}\n" for a, b in zip(x / 30, y, strict=True)))
        (row,) = answer(capsys, "compare", str(path), "--target", "y", "--losses", "squared_error")["losses"]
        assert row["status"] == "converged"
        fits.append([row["b(x)"] * (wide / tall), row["b(intercept)"] / tall, row["root_mean_square"] / tall])
    for other in fits[1:]:
        assert other == pytest.approx(fits[0], rel=1e-9)


MISTAKES = {
    "an unknown loss": (["show", "hubr"], "huber"),
    "a domain left": (["show", "huber:delta=-1"], "choose a value inside"),
    "an unknown hyperparameter": (["show", "huber:dleta=1"], "delta"),
    "no number": (["show", "huber:delta=big"], "name=number"),
    "no name": (["show", "huber:3"], "name=number"),
    "no loss at all": (["check", "a b"], "my_losses.py:my_loss"),
    "another format": (["show", "huber", "--plot", "x.jpg"], ".svg or .png"),
    "no such file": (["check", "nowhere.py:f"], "no file nowhere.py"),
    "an unknown table": (["compare", "stacklos"], "stackloss"),
    "an unknown table with a target": (["compare", "stacklos", "--target", "y"], "did you mean 'stackloss'"),
    "tabs between cells": (["compare", "tab.tsv"], "tab.tsv: tables are read from .csv files only; save it as one"),
    "tabs and a target": (["compare", "tab.tsv", "--target", "price"], "read from .csv files only"),
    "a file without a suffix": (["compare", str(ROOT / "Makefile"), "--target", "y"], "read from .csv files only"),
    "no such table file": (["compare", "nowhere.csv", "--target", "y"], "nowhere.csv: No such file"),
    "no target": (["compare", "nowhere.csv"], "--target"),
    "a target that is fixed": (["compare", "phones", "--target", "calls"], "its own target"),
    "a loss of another task": (["compare", "phones", "--losses", "logistic", "-q"], "logistic takes as target"),
    "too many folds": (["compare", "phones", "--folds", "99"], "use from 2 to 24"),
    "losses given twice": (["compare", "phones", "--losses", "huber", "--losses", "tukey"], "--losses is there twice"),
    "a flag twice": (["compare", "phones", "--l2=1", "--l2", "2"], "--l2 is there twice"),
    "a hyperparameter twice": (["show", "huber:delta=1,delta=2"], "sets delta twice: give it one number"),
    "a unit of 0": (["compare", "phones", "--unit", "0"], "--unit 0.0: give a number above 0"),
    "a unit below 0": (["compare", "phones", "--unit", "-2"], "--unit -2.0: give a number above 0"),
    "no number as a unit": (["compare", "phones", "--unit", "nan"], "--unit nan: give a number above 0"),
    "a penalty below 0": (["compare", "phones", "--l2", "-1"], "--l2 -1.0: a penalty is"),
    "a file as a folder": (["compare", "phones", "--out", __file__], "name a folder"),
    "a seed of too many bits": (["compare", "phones", "--seed", "9" * 20], "below 2^63"),
    "the task of a card": (["check", "huber", "--task", "binary"], "huber is a loss of regression targets"),
}


@pytest.mark.parametrize(("argv", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_wrong_usage_is_answered_by_one_sentence_and_2(capsys, argv, hint):
    assert cli.main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lossopt: ")
    assert err.count("\n") == 1
    assert hint in err


@pytest.mark.parametrize(
    "argv", [[], ["sho"], ["show"], ["losses", "--task", "cooking"], ["compare", "phones", "--l3", "1"]]
)
def test_what_is_no_command_is_2_too(capsys, argv):
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_missing_function_is_answered_with_the_nearest(capsys, script):
    assert cli.main(["check", f"{script}:mint"]) == 2
    assert "Did you mean 'mine'?" in capsys.readouterr().err


def test_what_is_no_function_is_not_offered_instead_of_itself(capsys, script):
    assert cli.main(["check", f"{script}:card"]) == 2
    assert capsys.readouterr().err == f"lossopt: card in {script} is no function.\n"


def test_a_file_that_does_not_run_is_said_to_be_so(capsys, tmp_path):
    (tmp_path / "bad.py").write_text("1/0")
    assert cli.main(["check", f"{tmp_path / 'bad.py'}:f"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_what_fails_in_a_file_is_told_with_its_place(capsys, script, monkeypatch):
    monkeypatch.setattr(properties, "check", lambda loss, task: loss(1.0, 0.0))
    script.write_text("def boom(prediction, target):\n    raise RuntimeError('boom')\n")
    assert cli.main(["check", f"{script}:boom", "--quiet"]) == 1
    assert capsys.readouterr().err == "lossopt: boom (RuntimeError at mine.py, line 2, in boom).\n"


def test_a_loss_that_jax_cannot_trace_is_told_with_its_place_and_remedy(capsys, script):
    script.write_text("def bent(prediction, target):\n    return prediction if prediction > target else target\n")
    assert cli.main(["compare", "phones", "--losses", f"{script}:bent", "--quiet"]) == 1
    err = capsys.readouterr().err
    assert "jnp.where in place of if (TracerBoolConversionError at mine.py, line 2, in bent).\n" in err


def test_two_losses_of_one_name_are_both_kept(script):
    script.write_text("from lossopt.losses import absolute_error as huber\n")
    found = arguments.distinct(["huber", f"{script}:huber", "tukey", "tukey"])
    assert list(found) == ["huber", f"{script}:huber", "tukey"]
    assert found["huber"] is losses.huber
    assert found[f"{script}:huber"] is losses.absolute_error


def test_what_fails_while_running_is_1_and_a_sentence(capsys, script):
    assert cli.main(["check", f"{script}:two"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "lossopt: " in err


def test_ctrl_c_is_130(capsys, monkeypatch):
    def stopped(command):
        raise KeyboardInterrupt

    monkeypatch.setitem(cli._COMMANDS, cli.Losses, stopped)
    assert cli.main(["losses"]) == 130
    assert capsys.readouterr().err == "lossopt: interrupted.\n"
