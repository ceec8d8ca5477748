"""Results as files and as a page: verdicts that can fail, the same bytes twice, nothing half written, no network."""

import functools
import html.parser
import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from matplotlib.figure import Figure

from lossopt import plots, report
from lossopt.data import Table
from lossopt.report import _command, _comparison, _console, _page, _results


ROOT = Path(__file__).parent.parent
CURVE = plots.Curve([0, 1, 2], [1.0, 0.5, 0.2], [0.9, 0.4, 0.1], [1.1, 0.6, 0.3])


def claim(measured=1.0, expected=1.0, **fields) -> report.Claim:
    return report.Claim(statement="0 <b> 1", measured=measured, expected=expected, source="a table", **fields)


@functools.cache
def picture(name: str) -> Figure:
    return plots.curve({name: CURVE, "huber": CURVE}, xlabel="steps", ylabel="cost (unit)", size=(3.0, 2.0))


def draw(results) -> dict[str, Figure]:
    return {name: picture(name) for name in results.captions}


def results(name="toy", **fields) -> report.Results:
    made = report.Results(
        **{
            "name": name,
            "question": "What is 1 < 2 & 3?",
            "design": "First `code`.\n\n- one\n- two",
            "rows": [{"loss": "huber", "n": 3, "error": 0.1 + 0.2, "exact": True}, {"loss": 'a,"b', "error": math.nan}],
            "curves": {"one/two": np.linspace(0, 1, 5), "k": np.arange(3)},
            "claims": [claim(), claim(measured=math.nan, expected=math.inf, interval=(0.5, math.inf))],
            "captions": {"first": "It falls. Slowly.", "second": 'So does this, <fast> & "sure".'},
            "config": {"seed": 3, "quick": True, "sizes": (1.0, 2.0)},
        }
        | fields
    )
    return report.Results(**(vars(made) | {"figures": made.figures or draw(made)}))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- claims


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"measured": 1.05, "tolerance": 0.1}, True),
        ({"measured": 1.15, "tolerance": 0.1}, False),
        ({"measured": 0.85, "tolerance": 0.1}, False),
        ({"measured": 11.0, "expected": 10.0, "tolerance": 0.11, "kind": "relative"}, True),
        ({"measured": -11.0, "expected": -10.0, "tolerance": 0.09, "kind": "relative"}, False),
        ({"measured": 1.0, "expected": 2.0, "kind": "at_most"}, True),
        ({"measured": 2.04, "expected": 2.0, "kind": "at_most", "tolerance": 0.05}, True),
        ({"measured": 2.1, "expected": 2.0, "kind": "at_most", "tolerance": 0.05}, False),
        ({"measured": 2.0, "expected": 2.0, "kind": "at_least"}, True),
        ({"measured": 1.96, "expected": 2.0, "kind": "at_least", "tolerance": 0.05}, True),
        ({"measured": 1.9, "expected": 2.0, "kind": "at_least", "tolerance": 0.05}, False),
        ({"measured": math.inf, "expected": math.inf}, True),
        ({"measured": math.inf, "expected": -math.inf, "tolerance": 1e9}, False),
    ],
)
def test_a_claim_holds_exactly_when_the_number_is_where_it_should_be(fields, holds):
    assert claim(**fields).holds is holds
    assert str(claim(**fields)).startswith("holds" if holds else "FAILS")


@pytest.mark.parametrize("kind", ["equal", "relative", "at_most", "at_least"])
@pytest.mark.parametrize("expected", [0.0, 1.0, math.inf, -math.inf])
def test_nan_never_holds(kind, expected):
    assert not claim(measured=math.nan, expected=expected, tolerance=1e300, kind=kind).holds


@pytest.mark.parametrize(
    "wrong", [{"expected": math.nan}, {"tolerance": math.inf}, {"tolerance": -1}, {"kind": "about"}]
)
def test_a_claim_that_could_not_fail_is_refused(wrong):
    with pytest.raises(ValueError, match=r"'0 <b> 1'|kind='about'"):
        claim(**wrong)


def test_the_interval_is_shown_but_does_not_excuse():
    shaky = claim(measured=1.5, tolerance=0.1, interval=(0.5, 2.5), unit="m")
    assert not shaky.holds
    assert shaky.found == "1.5 m (0.5 to 2.5)"
    assert shaky.wanted == "1 m ± 0.1"


# -- files


def elsewhere(code: str, folder: Path) -> int:
    """Run code in another process, where hashes of text differ; `t` is this module and `folder` a path."""
    start = "import sys, os; sys.path.insert(0, sys.argv[1]); folder = sys.argv[2]; import test_report as t; "
    environment = os.environ | {"PYTHONHASHSEED": "77", "PYTHONPATH": str(ROOT), "JAX_ENABLE_X64": "1"}
    command = [sys.executable, "-c", start + code, str(ROOT / "tests"), str(folder)]
    return subprocess.run(command, env=environment, check=False).returncode


def test_saving_twice_gives_the_same_bytes_even_in_another_process(tmp_path):
    report.save(results(), tmp_path / "here")
    assert elsewhere("t.report.save(t.results(), folder)", tmp_path / "there") == 0
    here, there = contents(tmp_path / "here" / "toy"), contents(tmp_path / "there" / "toy")
    assert sorted(here) == [
        *("claims.json", "config.json", "curves.npz", "env.json"),
        *("first.png", "first.svg", "results.csv", "second.png", "second.svg"),
    ]
    for name, data in here.items():
        assert there[name] == data, name


def test_no_file_knows_the_day_or_the_folder(tmp_path):
    report.save(results(), tmp_path)
    for name, data in contents(tmp_path / "toy").items():
        text = data.decode("latin-1")
        assert str(tmp_path) not in text, name
        assert not re.search(r"20\d\d-\d\d-\d\d|dc:date", text), name


@given(st.lists(st.floats() | st.integers(-(2**70), 2**70), min_size=1, max_size=5))
def test_numbers_in_the_table_read_back_to_the_same_bits(numbers):
    for number in numbers:
        again = _results._value(_results._cell(number))
        assert type(again) is type(number)
        assert repr(again) == repr(number)


def test_load_is_the_inverse_of_save(tmp_path):
    made = results()
    report.save(made, tmp_path)
    saved = report.load(tmp_path / "toy")
    assert repr(saved.results.claims) == repr(tuple(made.claims))
    assert saved.results.question == made.question
    assert saved.results.config == {"seed": 3, "quick": True, "sizes": [1.0, 2.0]}
    assert list(saved.results.captions) == list(made.captions) == list(saved.drawings)
    np.testing.assert_array_equal(saved.results.curves["one/two"], made.curves["one/two"])
    assert saved.results.rows[0] == dict(made.rows[0])
    assert saved.results.rows[1]["loss"] == 'a,"b'
    assert saved.results.rows[1]["n"] is None
    assert saved.environment["precision"] == "float64"


class Stopped:
    """A curve that cannot be written: the run ends in the middle of saving."""

    def __init__(self, action):
        self.action = action

    def __array__(self, *args, **kwargs):
        self.action()


def interrupt():
    raise KeyboardInterrupt


def test_a_run_stopped_while_saving_leaves_what_was_there(tmp_path):
    report.save(results(), tmp_path)
    before = contents(tmp_path / "toy")
    with pytest.raises(KeyboardInterrupt):
        report.save(results(question="new", curves={"x": Stopped(interrupt)}), tmp_path)
    assert contents(tmp_path / "toy") == before
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
    report.save(results(captions={"only": "One."}), tmp_path)
    assert "first.svg" not in contents(tmp_path / "toy")


def test_a_run_killed_while_saving_leaves_nothing_that_looks_like_results(tmp_path):
    kill = "t.Stopped(lambda: os.kill(os.getpid(), 9))"
    assert elsewhere(f"t.report.save(t.results(curves={{'x': {kill}}}), folder)", tmp_path) == -9
    assert not (tmp_path / "toy").exists()
    assert _results.saved(tmp_path) == []
    report.save(results(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "../toy"}, "use letters, digits"),
        ({"captions": {"other": "x"}, "figures": {"first": Figure()}}, "give each figure one caption"),
        ({"config": {"where": Path()}}, "cannot be saved"),
    ],
)
def test_what_cannot_be_saved_is_said_and_nothing_is_left(tmp_path, fields, message):
    with pytest.raises(ValueError, match=message):
        report.save(results(**fields), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["toy", ".toy.partial", ".toy.old"])
def test_a_file_in_the_place_of_results_is_refused_and_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=rf"{name} is no folder, .*: move it"):
        report.save(results(), tmp_path)
    assert contents(tmp_path) == {name: b"mine"}


# -- the page


class Reader(html.parser.HTMLParser):
    """Collects what the tests ask about, and checks that elements are closed in order."""

    VOID = ("meta", "br", "hr", "img", "link", "input")

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.ids, self.links, self.labels, self.text = [], [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]
        self.labels += [given.get("aria-label")] if tag == "svg" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for name in ("toy", "alpha", "zeta"):
        report.save(results(name), folder)
    report.save(results("plain", claims=[], rows=[], captions={}, figures={}), folder)
    return folder


@pytest.fixture(scope="module")
def page(site):
    return report.write_page(site, order=("zeta", "toy")).read_text(encoding="utf-8")


def test_the_page_needs_nothing_but_itself(page):
    reader = Reader(page)
    assert reader.open == []
    assert all(link.startswith("#") for link in reader.links)
    assert not set(reader.tags) & {"script", "link", "iframe", "img", "object"}
    assert "@import" not in page
    assert "url(http" not in page


def test_no_identifier_is_used_twice_and_every_reference_finds_its_own(page):
    reader = Reader(page)
    assert len(set(reader.ids)) == len(reader.ids) > 100
    references = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page))
    assert references
    assert {a or b for a, b in references} <= set(reader.ids)


def test_the_page_shows_experiments_in_order_with_figures_claims_and_tables(page):
    reader = Reader(page)
    assert reader.tags.count("h1") == 1
    assert re.findall(r'<section class="experiment" id="(\w+)"', page) == ["zeta", "toy", "alpha", "plain"]
    assert reader.labels == ["It falls.", 'So does this, <fast> & "sure".'] * 3
    text = " ".join("".join(reader.text).split())
    assert "3 of 6 hold." in text
    assert text.count("✗ fails") == 3
    assert "What is 1 < 2 & 3?" in text
    assert "nan (0.5 to inf)" in text
    assert text.count("0 <b> 1") == 6
    assert "--seed 3 --quick" in text
    assert "<li>one</li><li>two</li>" in page
    assert "<code>code</code>" in page


def test_the_page_is_the_same_every_time(site, page):
    assert report.write_page(site, order=("zeta", "toy")).read_text(encoding="utf-8") == page


def test_a_long_table_is_folded_and_cut_and_says_so(tmp_path):
    rows = [{"i": i} for i in range(_page.LONGEST_TABLE + 7)]
    report.save(results(rows=rows, captions={}, figures={}), tmp_path)
    page = report.write_page(tmp_path).read_text(encoding="utf-8")
    assert page.count('<td class="n">') == _page.LONGEST_TABLE
    assert f"The first {_page.LONGEST_TABLE} of {len(rows)} rows" in page
    assert "<details>" in page


def test_shortening_coordinates_moves_nothing_by_a_hundredth(site):
    svg = (site / "toy" / "first.svg").read_text(encoding="utf-8")
    numbers = [
        [float(x) for path in re.findall(r' d="([^"]*)"', text) for x in re.findall(r"-?\d+\.?\d*", path)]
        for text in (svg, str(_page.inline_svg(svg, "p", "label")))
    ]
    np.testing.assert_allclose(*numbers, rtol=0, atol=0.01)


# -- the command


def experiment(name="toy", run=None) -> report.Experiment:
    def fine(*, seed, quick, progress):
        list(progress(range(3), "counting"))
        return report.Results(claims=[claim(), claim(measured=2.0)], captions={"f": "A figure."}, config={"n": 5})

    return report.Experiment(name, "Why?\n\nDesign. So.\n\nClaims. None.", run or fine, draw)


def test_an_experiment_whose_claims_fail_has_still_run(tmp_path, capsys):
    code = _command.conduct(lambda _: experiment(), ["toy"], _command.Options(out=tmp_path, seed=7, json=True))
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert code == 0
    assert [c["holds"] for c in answer["experiments"][0]["claims"]] == [True, False]
    assert answer["page"] == str(tmp_path / "index.html")
    assert "1 of 2 claims hold" in err
    assert "FAILS" in err
    saved = report.load(tmp_path / "toy").results
    assert (saved.question, saved.design) == ("Why?", "So.")
    assert saved.config == {"seed": 7, "quick": False, "n": 5}


def test_one_that_breaks_stops_no_other_and_is_answered_in_a_sentence(tmp_path, capsys):
    def broken(**_):
        raise ValueError("bad\nthing")

    def load(name):
        return experiment(name, broken if name == "broken" else None)

    code = _command.conduct(load, ["broken", "toy"], _command.Options(out=tmp_path))
    out, err = capsys.readouterr()
    assert code == 1
    assert out == ""
    assert "broken did not run: ValueError: bad thing (test_report.py, line" in " ".join(err.split())
    assert "Traceback" not in err
    assert (tmp_path / "toy").exists()
    assert not (tmp_path / "broken").exists()


def test_an_interrupted_command_says_so_with_130(tmp_path, capsys):
    def stopped(**_):
        raise KeyboardInterrupt

    assert _command.conduct(lambda _: experiment(run=stopped), ["toy"], _command.Options(out=tmp_path)) == 130
    assert "Interrupted" in capsys.readouterr().err


def test_a_quiet_command_says_nothing(tmp_path, capsys):
    assert _command.conduct(lambda _: experiment(), ["toy"], _command.Options(out=tmp_path, quiet=True)) == 0
    assert capsys.readouterr() == ("", "")


def test_the_docstring_gives_question_and_design_and_leaves_the_claims_to_the_table():
    doc = "What\nif?\n\nDesign. A.\n\nB claims.\n\nClaims. C.\n\nD."
    assert _command.read_docstring(doc) == ("What if?", "A.\n\nB claims.")
    assert _command.read_docstring("Only a question?") == ("Only a question?", "")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_passes_on_every_item_and_says_what_is_done(terminal):
    from rich.console import Console

    console = Console(file=io.StringIO(), force_terminal=terminal)
    with _console.showing(console, "toy") as progress:
        assert list(progress((i for i in range(4)), "counting")) == [0, 1, 2, 3]
    assert "toy" in console.file.getvalue()


def test_no_color_is_honoured(monkeypatch, capsys):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    _console.print_verdicts(_console.stderr(), results())
    assert "\x1b[3" not in capsys.readouterr().err


@pytest.mark.parametrize("width", [50, 80, 100])
def test_a_table_is_divided_before_a_number_is_cut(width):
    from rich.console import Console

    rows = [
        {"loss": f"huber, delta={i}", **{f"some coefficient {j}": -1.23456e-100 * (i + j) for j in range(1, 9)}}
        for i in range(1, 4)
    ]
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    _console.print_table(console, "Of [many] columns", rows)
    text = console.file.getvalue()
    for row in rows:
        assert all(_results.shown(value) in text for value in row.values())
    assert max(map(len, text.splitlines())) <= width
    parts = text.count("Of [many] columns")
    assert parts == text.count("huber, delta=1") == {50: 4, 80: 3, 100: 2}[width]


def test_text_is_broken_into_lines_where_that_saves_a_table():
    from rich.console import Console

    console = Console(file=io.StringIO(), width=40)
    _console.print_table(
        console, "Words", [{"loss": "huber", "asks for": "the mean of " * 5, "hyperparameters": "c=1"}]
    )
    text = console.file.getvalue()
    assert text.count("Words") == 1
    assert "hyperparameters" in text
    assert max(map(len, text.splitlines())) <= 40


@pytest.mark.parametrize("smallest", [1e-2, 1e-12])
def test_most_of_each_line_of_errors_is_in_the_picture(smallest):
    shares = np.linspace(0.01, 1, 100)
    curves = {"logistic": np.stack([shares, np.geomspace(smallest, 60.0, 100)])}
    about = Table(name="t", task="binary", features=(), target="y", rows=100, source="")
    low, high = _comparison._draw_errors(curves, about).axes[0].get_ylim()
    seen = np.mean((curves["logistic"][1] >= low) & (curves["logistic"][1] <= high))
    assert seen >= 0.75
    assert low <= 1e-3 * 60


def test_what_is_no_terminal_has_no_width(capsys):
    _console.print_table(_console.stderr(), "Words", [{"loss": "huber", "asks for": "the mean of " * 50}])
    assert "the mean of " * 49 in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to_ends_an_experiment_before_it_runs(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["toy", "--out", __file__])
    with pytest.raises(SystemExit) as stop:
        _command.main(None, None, doc="", name="toy")
    assert stop.value.code == 2
    assert "name a folder" in capsys.readouterr().err


def test_a_file_in_the_place_of_results_ends_an_experiment_before_it_runs(tmp_path, capsys, monkeypatch):
    (tmp_path / "toy").write_text("mine")
    monkeypatch.setattr(sys, "argv", ["experiments", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        _command.main_all(None, ["other", "toy"])
    assert stop.value.code == 2
    assert f"{tmp_path / 'toy'} is no folder" in capsys.readouterr().err
    assert contents(tmp_path) == {"toy": b"mine"}
