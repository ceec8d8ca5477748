"""Pictures that can be read: no text over other text or off the page, one look a name, the same bytes twice."""

import functools
import itertools
import sys

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import pytest
from hypothesis import given, strategies as st
from matplotlib.colors import rgb_to_hsv, to_rgb
from matplotlib.patches import ConnectionPatch
from matplotlib.text import Text

from lossopt import bind, losses, plots
from lossopt.plots import _labels, _lines, _portrait, _shapes, _style


NAMES = ("squared_error", "absolute_error", "huber", "log_cosh", "cauchy", "tukey")
STEPS = np.arange(60)


def falling(rate: float, start: float = 1.0) -> plots.Curve:
    y = start * rate**STEPS
    return plots.Curve(STEPS, y, y / 2, y * 2)


CURVES = {name: falling(0.9 - 0.001 * i) for i, name in enumerate(NAMES)}
GRID = np.linspace(-4, 4, 81)
X, Y = np.meshgrid(GRID, GRID)
BOWL = plots.Valley(
    GRID, GRID, X**2 + 3 * Y**2, {"adam": np.array([[3, 3], [1, 1], [0, 0]]), "l-bfgs": [[3, 3], [0, 0]]}, [[0, 0]]
)
POINTS = plots.Scatter(
    np.arange(20.0), np.arange(20.0) ** 1.1, {n: (1 + 0.02 * i, 0.1) for i, n in enumerate(NAMES)}, (3, 4)
)
SHAPES = {name: functools.partial(losses.get(name), target=0.0) for name in NAMES}

LONG = "a title that goes on and on about what is in its panel, and then goes on some more, as titles do"
PATHS = {f"optimizer number {i}": [[3, 3 - 0.2 * i], [0, 0]] for i in range(12)}

FAR = 1e9 + 1e7 * np.append(np.random.default_rng(0).normal(size=38), (-2.0, 1.5))

FIGURES = {
    "convergence": lambda: plots.convergence(CURVES, title="Squared error", reference={"1 − 1/κ": falling(0.95)}),
    "convergence in panels": lambda: plots.convergence(
        {"Squared error, κ = 100": CURVES, "Absolute error": CURVES, "Huber, δ = 1": CURVES}, ylim=(1e-3, 3)
    ),
    "many names": lambda: plots.curve(
        {f"huber, delta={i}": falling(0.9) for i in range(12)}, xlabel="steps", ylabel="cost (unit)", yscale="log"
    ),
    "linear": lambda: plots.curve(
        {"tukey": falling(0.9), "huber": falling(1.05)}, xlabel="share of bad rows", ylabel="error (unit)", ylim=(0, 2)
    ),
    "long labels": lambda: plots.curve(
        CURVES, xlabel="x " * 40, ylabel="the error of the coefficients " * 3 + "(in the target's unit)"
    ),
    "shapes": lambda: plots.loss_shapes(SHAPES, GRID, groups={"Convex": NAMES[:4], "Redescending": NAMES[4:]}),
    "shapes far out": lambda: plots.loss_shapes(SHAPES, 1e6 * GRID),
    "thirty names": lambda: plots.curve({f"name {i}": falling(0.9) for i in range(30)}, xlabel="x (unit)", ylabel="y"),
    "long names": lambda: plots.curve(
        {f"{LONG}, {i}": falling(0.9 + 0.01 * i) for i in range(3)} | {"x" * 150: falling(0.5)}, xlabel="x", ylabel="y"
    ),
    "long titles": lambda: plots.curve(
        {f"{LONG} {i}": {"huber": falling(0.9)} for i in range(3)}, xlabel="x (unit)", ylabel="y (unit)", columns=3
    ),
    "long titles of fits": lambda: plots.fits({LONG: POINTS, LONG.upper(): POINTS}),
    "long titles of valleys": lambda: plots.valley(
        {f"{LONG} {i}": BOWL for i in range(3)}, xlabel="slope", ylabel="intercept"
    ),
    "one valley of many paths": lambda: plots.valley({"a": BOWL._replace(paths=PATHS)}, xlabel="slope", ylabel="y"),
    "dollars": lambda: plots.fits(
        {"50% $\\frac{$": POINTS._replace(xlabel="$ per m$", ylabel="$\\a$", lines={"$\\frac{$": (1.0, 0.0)})}
    ),
    "fits far out": lambda: plots.fits(
        {"p": plots.Scatter(FAR, 0 * FAR, {"l": (0, 0)}), "q": plots.Scatter(FAR, FAR, {"l": (1, 0)})}
    ),
    "long paths": lambda: plots.convergence(
        {title: {"huber": (1e5 * STEPS, 0.9**STEPS)} for title in "abc"},
        xlabel="gradient evaluations since the start (number)",
    ),
    "valley far out": lambda: plots.valley(
        {title: BOWL._replace(x=1e6 + GRID, paths={}, minima=[[1e6, 0]]) for title in "abc"}, xlabel="slope", ylabel="y"
    ),
    "portrait": lambda: plots.portrait(losses.logistic),
    "fits": lambda: plots.fits({"stars": POINTS, "phones": POINTS}),
    "valley": lambda: plots.valley(
        {"squared error": BOWL, "tukey": BOWL}, xlabel="slope (unit per unit)", ylabel="intercept (unit)"
    ),
}


@functools.cache
def drawn(name: str):
    figure = FIGURES[name]()
    figure.draw_without_rendering()
    return figure


@pytest.fixture(params=FIGURES)
def figure(request):
    return drawn(request.param)


def texts(figure) -> list[Text]:
    """All text that is drawn: matplotlib also keeps the labels of ticks that lie outside the limits."""
    outside = set()
    for axis in itertools.chain.from_iterable((axes.xaxis, axes.yaxis) for axes in figure.axes):
        low, high = sorted(axis.get_view_interval())
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        outside |= {tick.label1 for tick in ticks if not low <= tick.get_loc() <= high}
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in found if text not in outside]


def test_no_text_lies_on_other_text(figure):
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(figure)]
    for (a, box), (b, other) in itertools.combinations(boxes, 2):
        width = min(box.x1, other.x1) - max(box.x0, other.x0)
        height = min(box.y1, other.y1) - max(box.y0, other.y0)
        # Boxes hold the room of descenders and accents; a touch of two of these is not an overlap of ink.
        assert width <= 1 or height <= 2, f"{a!r} lies on {b!r} by {width:.1f} x {height:.1f} pixels"


def test_no_text_leaves_the_figure(figure):
    page = figure.bbox
    for text in texts(figure):
        box = text.get_window_extent()
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1
        assert inside, f"{text.get_text()!r} at {box} is not inside {page}"


def test_text_is_large_enough_to_project(figure):
    # The exponents of a logarithmic axis are set at 0.7 of their base by mathtext itself.
    assert min(text.get_fontsize() for text in texts(figure)) >= 11


def test_every_panel_shows_something_and_says_what(figure):
    for axes in figure.axes:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        points = [np.asarray(line.get_xydata(), float) for line in axes.lines if line.get_transform() != axes.transAxes]
        seen = [((p >= (left, low)) & (p <= (right, high))).all(axis=1).any() for p in points if len(p)]
        assert any(seen)
        first_row_label = axes.get_ylabel() or axes.get_subplotspec().colspan.start > 0
        assert first_row_label


@pytest.mark.parametrize("name", ["convergence in panels", "shapes", "fits"])
def test_every_line_is_named_once_a_panel(name):
    for axes in drawn(name).axes:
        lines = [line.get_label() for line in axes.lines if line.get_label() in NAMES]
        assert [text.get_text() for text in axes.texts] == [line.replace("_", " ") for line in lines]


def test_a_name_is_drawn_alike_whatever_the_company():
    alone = plots.styles(["huber"])["huber"]
    assert alone == plots.styles(["somebody", *reversed(NAMES)])["huber"] == plots.style("huber, delta=3")
    first = plots.convergence({"huber": falling(0.9)}).axes[0].lines[0]
    second = drawn("shapes").axes[0].lines[2]
    assert (first.get_label(), second.get_label()) == ("huber", "huber")
    assert first.get_color() == second.get_color() == alone.color


def test_those_seen_together_differ_and_not_in_colour_alone():
    looks = plots.styles([*losses.names(), *(f"huber, delta={i}" for i in range(6)), "somebody", "anybody"])
    # Many pictures have lines without markers.
    assert len({(look.color, look.linestyle) for look in looks.values()}) == len(looks)
    assert len(plots.styles(map(str, range(300)))) == 300
    main = plots.styles(NAMES).values()
    assert len({look.color for look in main}) == len(NAMES)
    assert len({str(look.linestyle) for look in main}) == len(_style.DASHES)


@pytest.mark.parametrize(
    "names",
    [
        ("logistic", "hinge", "exponential"),
        ("brier", "savage", "ramp", "focal"),
        ("squared_error", "absolute_error", "quantile", "expectile", "half_squared_error"),
        ("sgd", "adam", "momentum", "gradient descent"),
        tuple(f"optimizer number {i}" for i in range(8)),
    ],
)
def test_names_of_one_panel_differ_in_colour_while_one_is_free(names):
    looks = plots.styles(names)
    assert len({look.color for look in looks.values()}) == len(names)
    others = plots.styles([f"loss {i}" for i in range(8)], names, NAMES)
    assert len({others[name].color for name in names}) == len(names)


def test_who_has_a_colour_first_keeps_it():
    looks = plots.styles(["quantile", "absolute_error", "quantile, level=0.9"])
    assert looks["absolute_error"] == plots.style("absolute_error")
    assert looks["quantile"].color != looks["absolute_error"].color
    hues = [rgb_to_hsv(to_rgb(looks[name].color))[0] for name in ("quantile", "quantile, level=0.9")]
    assert hues[0] == pytest.approx(hues[1], abs=0.01)
    apart = plots.styles(["quantile"], ["absolute_error"])
    assert all(apart[name] == plots.style(name) for name in apart)


def test_lines_of_one_picture_differ_without_their_markers():
    figure = plots.loss_shapes(dict.fromkeys(("squared_error", "epsilon_insensitive"), SHAPES["huber"]), GRID)
    first, second = figure.axes[0].lines[:2]
    assert (first.get_color(), first.get_linestyle()) != (second.get_color(), second.get_linestyle())


def test_a_dollar_is_a_dollar():
    axes = drawn("dollars").axes[0]
    assert axes.get_xlabel() == r"\$ per m\$"
    assert axes.get_title(loc="left") == r"50% \$\frac{\$"
    assert axes.texts[0].get_text() == r"\$\frac{\$"


def test_each_tick_has_its_power_of_ten():
    axes = drawn("shapes far out").axes[-1]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert {"−2e6", "0", "2e6"} <= set(labels)
    assert not axes.xaxis.get_offset_text().get_text()


def test_no_power_of_ten_is_written_beside_the_label_of_an_axis():
    for axes in drawn("long paths").axes:
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert {"0", "2e6", "4e6"} <= set(labels)
        assert not axes.xaxis.get_offset_text().get_text()


@pytest.mark.parametrize("name", ["fits far out", "long paths", "valley far out"])
def test_an_axis_has_room_for_its_numbers_and_two_of_them(name):
    for axes in drawn(name).axes:
        low, high = axes.get_xlim()
        seen = [tick for tick in axes.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
        boxes = [tick.label1.get_window_extent() for tick in seen]
        assert len(boxes) >= 2
        assert all(right.x0 - left.x1 > 2 for left, right in itertools.pairwise(boxes))


@pytest.mark.parametrize("outliers", [(3, 4), np.isin(np.arange(20), (3, 4)), [i in (3, 4) for i in range(20)]])
def test_outliers_are_rows_or_a_mask(outliers):
    hollow = plots.fits({"a": POINTS._replace(outliers=outliers)}).axes[0].collections[1]
    np.testing.assert_array_equal(hollow.get_offsets()[:, 0], [3, 4])


def test_points_that_are_not_finite_are_left_out():
    y = np.where(np.arange(20) == 2, np.nan, POINTS.y)
    full, hollow = plots.fits({"a": POINTS._replace(y=y)}).axes[0].collections
    assert len(full.get_offsets()) == 17
    np.testing.assert_array_equal(hollow.get_offsets()[:, 0], [3, 4])


def test_two_heights_have_two_shades():
    figure = plots.valley({"a": BOWL._replace(surface=np.where(X > 0, 1.0, 0.0))}, xlabel="x", ylabel="y")
    assert len({tuple(color) for color in figure.axes[0].collections[0].get_facecolor()}) == 2


def test_settings_of_one_loss_are_tones_of_its_colour():
    looks = plots.styles(["huber", "huber, delta=2", "huber (delta=3)"])
    first, *others = [rgb_to_hsv(to_rgb(look.color)) for look in looks.values()]
    for hsv in others:
        assert hsv[0] == pytest.approx(first[0], abs=0.01)
        assert abs(hsv[1:] - first[1:]).max() > 0.2
    black, grey = plots.styles(["tukey", "tukey, robust start"]).values()
    assert black.color != grey.color
    assert _style.base_name("huberised") == "huberised"
    assert _style.base_name("Pseudo huber: delta=1") == "pseudo_huber"


def test_a_reference_without_a_name_gets_no_label_and_titles_are_words():
    figure = plots.curve(
        {"squared_error": {"huber": CURVES["huber"]}, "b": CURVES},
        xlabel="x",
        ylabel="y",
        reference={"squared_error": {"": CURVES["tukey"]}},
    )
    assert [text.get_text() for text in figure.axes[0].texts] == ["huber"]
    assert figure.axes[0].get_title(loc="left") == "squared error"


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_figure_gives_the_same_bytes_and_no_date(tmp_path, suffix):
    files = [plots.save(FIGURES["valley"](), tmp_path / f"{i}.{suffix}").read_bytes() for i in range(2)]
    assert files[0] == files[1]
    assert b"dc:date" not in files[0]
    assert b"Matplotlib v" not in files[0]


def test_other_formats_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="change the suffix"):
        plots.save(FIGURES["linear"](), tmp_path / "figure.jpg")
    assert list(tmp_path.iterdir()) == []


def test_drawing_changes_no_global_state_and_needs_no_pyplot(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    for name in ("linear", "portrait", "fits", "valley"):
        FIGURES[name]()
    for key in _style.RC:
        assert matplotlib.rcParams[key] == matplotlib.rcParamsDefault[key], key


def test_slope_and_curvature_are_the_derivatives():
    value, slope, curvature = _shapes.shape(lambda r: losses.huber(r, 0.0, delta=1.5), np.array([-3.0, -1.0, 0.5, 2.0]))
    np.testing.assert_allclose(value, [3.375, 0.5, 0.125, 1.875])
    np.testing.assert_allclose(slope, [-1.5, -1.0, 0.5, 1.5])
    np.testing.assert_allclose(curvature, [0.0, 1.0, 1.0, 0.0])


KINDS = {losses.card(losses.get(name)).prediction: name for name in losses.names()}


def test_there_is_an_axis_for_every_kind_of_prediction():
    assert set(KINDS) <= set(_portrait._PATHS)


@pytest.mark.parametrize("name", KINDS.values())
def test_a_portrait_shows_the_loss_in_every_panel(name):
    for panel in plots.portrait(losses.get(name)).axes:
        line = next(line for line in panel.lines if line.get_label() == name)
        y, (low, high) = np.asarray(line.get_ydata(), float), panel.get_ylim()
        assert np.isfinite(y).all()
        assert ((y >= low) & (y <= high)).mean() > 0.25


def test_a_portrait_is_of_the_bound_loss():
    loss = bind(losses.huber, delta=0.5)
    slope = plots.portrait(loss).axes[1].lines[0].get_ydata()
    assert np.max(slope) == 0.5


@pytest.mark.parametrize(
    ("loss", "low", "high"),
    [
        (losses.fair, 0.2, 1.0),
        (bind(losses.huber, delta=0.15), 0.03, 1.0),
        (losses.squared_epsilon_insensitive, 0.0, 1.9),
        (bind(losses.epsilon_insensitive, epsilon=0.03), 0.0, 25.0),
    ],
)
def test_a_weight_that_has_a_bound_is_shown_whole(loss, low, high):
    panel = plots.portrait(loss).axes[2]
    assert panel.get_title(loc="left").startswith("weight")
    bottom, top = panel.get_ylim()
    assert bottom < low < high < top


@pytest.mark.parametrize("loss", [losses.absolute_error, losses.quantile, bind(losses.power_error, p=1.5)])
def test_a_weight_without_a_bound_leaves_the_picture(loss):
    assert plots.portrait(loss).axes[2].get_ylim()[1] < 10


@pytest.mark.parametrize("x64", [False, True])
@pytest.mark.parametrize("delta", [np.inf, 1e3])
def test_a_weight_that_is_constant_but_for_rounding_is_level(x64, delta):
    with jax.enable_x64(x64):
        figure = plots.portrait(bind(losses.huber, delta=delta))
    assert figure.axes[2].get_ylim() == pytest.approx((0.0, 2.0), abs=1e-5)


def test_a_portrait_says_what_is_bound_and_what_it_runs_along():
    asymmetric = losses.asymmetric(bind(losses.huber, delta=0.15), level=0.9)
    for loss, name, label in (
        (bind(losses.huber, delta=0.15), "huber, delta=0.15", "residual: prediction − target (target's unit)"),
        (losses.huber, "huber", "residual: prediction − target (target's unit)"),
        (bind(losses.binomial, trials=10), "binomial, trials=10", "log-odds, where 1 of 10 succeeded"),
        (asymmetric, "asymmetric(huber), level=0.9", "residual: prediction − target (target's unit)"),
    ):
        figure = plots.portrait(loss)
        assert figure.axes[0].get_ylabel().replace("\n", " ") == name
        assert figure.get_supxlabel() == label


def test_what_is_not_finite_or_has_no_logarithm_is_left_out():
    line = plots.Curve([0, 1, 2, 3, 4], [1.0, np.nan, 0.0, np.inf, 0.1], [0.5] * 4 + [-1.0], [2.0] * 5)
    axes = plots.convergence({"huber": line}).axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[0, 1.0], [4, 0.1]])
    linear = plots.curve({"huber": line}, xlabel="x", ylabel="y").axes[0]
    np.testing.assert_array_equal(linear.lines[0].get_xdata(), [0, 2, 4])


def test_a_line_that_ends_at_0_falls_to_the_lower_edge_and_keeps_its_name():
    lines = {"adam": falling(0.9), "newton": (STEPS, np.where(STEPS < 7, 0.1**STEPS, 0.0)), "exact": (STEPS, 0 * STEPS)}
    axes = plots.convergence(lines).axes[0]
    assert [text.get_text() for text in axes.texts] == list(lines)
    arrows = [each for each in axes.patches if isinstance(each, ConnectionPatch)]
    assert [arrow.xy1 for arrow in arrows] == [(6, pytest.approx(1e-6)), (0, 0.1)]
    assert [arrow.xy2 for arrow in arrows] == [(7, 0), (0, 0)]
    assert all(arrow.get_clip_on() for arrow in arrows)  # one that starts below the lower edge is not seen
    alone = plots.convergence({"newton": (jnp.arange(3), jnp.array([1.0, 0.0, -1e-17]))}).axes[0]
    assert alone.get_xlim()[1] > 1


def test_markers_are_spread_evenly_over_the_axis_whatever_its_scale():
    axes = plots.curve({"huber": falling(0.9)}, xlabel="x", ylabel="y", xscale="log").axes[0]
    x = np.arange(1.0, 40_001.0)
    gaps = np.diff(np.log(x[_lines._marks(x, axes)]))
    assert len(gaps) == _lines.MARKS
    assert gaps.max() < 1.1 * np.log(x[-1]) / _lines.MARKS


@given(st.lists(st.floats(-1, 2), min_size=1, max_size=12), st.floats(0.01, 0.08))
def test_labels_keep_their_distance_and_their_order(wanted, gap):
    places = _labels.spread(wanted, gap)
    order = np.argsort(np.clip(wanted, 0, 1), kind="stable")
    assert np.all(np.diff(places[order]) >= gap - 1e-12)
    assert places.min() >= -1e-12
    assert places.max() <= 1 + 1e-12


def test_labels_with_room_stay_where_they_are_and_others_share_the_move():
    np.testing.assert_allclose(_labels.spread([0.9, 0.1, 0.5], 0.1), [0.9, 0.1, 0.5])
    np.testing.assert_allclose(_labels.spread([0.5, 0.5], 0.1), [0.45, 0.55])
    np.testing.assert_allclose(_labels.spread([1.0, 1.0], 0.1), [0.9, 1.0])
    np.testing.assert_allclose(_labels.spread([0.5, 0.5, 0.5], 0.75), [-0.25, 0.5, 1.25])


def test_a_label_takes_a_gap_a_line():
    np.testing.assert_allclose(_labels.spread([0.5, 0.5], 0.1, [1, 3]), [0.4, 0.6])
    np.testing.assert_allclose(_labels.spread([0.0, 1.0], 0.1, [3, 3]), [0.1, 0.9])


def test_contours_enclose_equal_areas_whatever_the_scale():
    steep = plots.valley({"a": BOWL._replace(surface=np.exp(BOWL.surface))}, xlabel="x (unit)", ylabel="y (unit)")
    same = plots.valley({"a": BOWL}, xlabel="x (unit)", ylabel="y (unit)")
    shares = [
        np.searchsorted(np.sort(np.ravel(s)), d.axes[0].collections[0].levels)
        for s, d in ((np.exp(BOWL.surface), steep), (BOWL.surface, same))
    ]
    np.testing.assert_allclose(shares[0], shares[1], atol=60)
    flat = plots.valley({"flat": BOWL._replace(surface=np.zeros_like(X))}, xlabel="x", ylabel="y").axes[0]
    assert [text.get_text() for text in flat.texts] == ["0 everywhere"]


def test_what_joins_a_line_to_its_name_is_no_solid_line_within_the_panel():
    axes = plots.fits({"a": POINTS._replace(lines={"steep": (9.0, 0.0)})}).axes[0]
    threads = [line for line in axes.lines if line.get_transform() == axes.transAxes]
    assert [line.get_linestyle() for line in threads if min(line.get_xdata()) < 1] == ["--"]  # matplotlib's for dots
