"""Tables that are gone through in blocks, and Hessians that are too large: the same answers as by the other way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from problems import flat, forget

import lossopt as lo
from lossopt import data, losses, models
from lossopt.solve import _blocks, _cleaned, _point, _programme, _traits, newton


ROWS, COLUMNS = 1003, 3


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Blocks of 20 rows of one score: more blocks than a sample leaves out, and a last one that overlaps."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_blocks, "BLOCK", 20 * (COLUMNS + 3))
        patched.setattr(_cleaned, "LARGE", 1)
        forget()
        yield
    forget()


def table(name, seed=0):
    """Features far from 0 in various units, targets for one loss, and weights, some of them 0."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(ROWS, COLUMNS)) * [1.0, 100.0, 0.01] + [5.0, -300.0, 0.0]
    score = features @ [0.5, -0.01, 30.0]
    score = score - score.mean()
    targets = {
        "squared_error": score + rng.standard_t(2, ROWS),
        "huber": score + rng.standard_t(2, ROWS),
        "tukey": score + rng.standard_t(2, ROWS),
        "poisson": rng.poisson(np.exp(score / 2)),
        "softmax_cross_entropy": rng.integers(0, 3, ROWS),
    }
    binary = (rng.uniform(size=ROWS) < 1 / (1 + np.exp(-score))).astype(float)
    return data.Dataset(features, targets.get(name, binary), rng.integers(0, 3, ROWS).astype(float))


NAMES = ("squared_error", "huber", "tukey", "poisson", "logistic", "squared_hinge", "softmax_cross_entropy")


def whole(monkeypatch, *arguments, **options):
    """The answer without blocks."""
    with monkeypatch.context() as patched:
        patched.setattr(_cleaned, "LARGE", 2**40)
        return lo.solve(*arguments, **options)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_give_what_the_whole_table_gives(monkeypatch, name):
    loss, d = losses.get(name), table(name)
    model = models.softmax(3) if name.startswith("softmax") else models.linear
    for l2 in (0.0, 0.1):
        one = whole(monkeypatch, loss, d, model=model, l2=l2)
        found = lo.solve(loss, d, model=model, l2=l2)
        assert found.status.name == one.status.name
        np.testing.assert_allclose(found.cost, one.cost, rtol=1e-13)
        np.testing.assert_allclose(flat(found), flat(one), rtol=1e-7, atol=1e-9)
        assert found.gap < 1e-15 or name == "tukey"


@pytest.mark.parametrize("offset", [0.0, 1e7])
def test_the_cost_is_that_of_the_coefficients_however_few_passes_told_it(offset):
    d = table("huber")
    nearly = d.features[:, 0] + 1e-4 * d.features[:, 2]
    d = d._replace(features=np.c_[d.features, nearly], targets=d.targets + offset)
    share = d.weights / d.weights.sum()
    for tolerance in (None, 1e-8, 1e-5, 1e-2):
        found = lo.solve(losses.huber, d, tolerance=tolerance)
        size = np.abs(d.features @ np.asarray(found.params.weights) + float(found.params.bias) - d.targets)
        own = share @ np.where(size <= 1, size**2 / 2, size - 0.5)
        np.testing.assert_allclose(found.cost, own, rtol=1e-13 + 1e-15 * offset)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("huber", {}),
        ("logistic", {"l1": 0.03, "l2": 0.01}),
        ("squared_error", {"l1": 0.1}),
        ("softmax_cross_entropy", {"l2": 0.1}),
        ("softmax_cross_entropy", {"l2": 0.1, "method": "lbfgs"}),
    ],
)
def test_no_programme_is_made_for_a_cost_that_is_known(monkeypatch, name, options):
    monkeypatch.setattr(_programme, "solution_alone", None)
    loss, d = losses.get(name), table(name)
    model = models.softmax(3) if name.startswith("softmax") else models.linear
    found = lo.solve(loss, d, model=model, **options)
    scores = model.scores(found.params, jnp.asarray(d.features))
    own = (d.weights / d.weights.sum()) @ jax.vmap(loss)(scores, jnp.asarray(d.targets))
    weights = found.params.weights
    own += options.get("l1", 0.0) * jnp.sum(jnp.abs(weights)) + options.get("l2", 0.0) / 2 * jnp.sum(weights**2)
    assert found.status.good
    np.testing.assert_allclose(found.cost, own, rtol=1e-13)


@pytest.mark.parametrize("name", ["tukey", "truncated_quadratic"])
def test_targets_far_from_0_lead_to_the_same_minimum(monkeypatch, name):
    d = table("tukey")._replace(weights=None)
    near, far = (lo.solve(losses.get(name), d._replace(targets=d.targets + offset)) for offset in (0.0, 1e6))
    np.testing.assert_allclose(near.cost, whole(monkeypatch, losses.get(name), d).cost, rtol=1e-12)
    np.testing.assert_allclose(far.cost, near.cost, rtol=1e-8)


@pytest.mark.parametrize("column", ["one value", "heavy tails"])
@pytest.mark.parametrize("name", ["tukey", "student_t_nll"])
def test_rows_far_out_do_not_lead_a_loss_that_is_not_convex_astray(monkeypatch, name, column):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, COLUMNS)) if column == "one value" else rng.standard_t(1, size=(ROWS, COLUMNS))
    targets = features @ [1.0, -0.7, 0.4] + rng.standard_t(4, size=ROWS)
    features[777, 2] = 1e5
    loss, d = losses.get(name), data.Dataset(features, targets)
    model = models.linear if name == "tukey" else models.multi_output(2)
    one, found = whole(monkeypatch, loss, d, model=model), lo.solve(loss, d, model=model)
    assert found.status.name == one.status.name
    np.testing.assert_allclose(found.cost, one.cost, rtol=1e-8)


def test_a_loss_without_curvature_is_not_led_away_by_a_sample(sampled):
    rng = np.random.default_rng(2)
    features, targets = rng.normal(size=(ROWS - 1, COLUMNS)), np.arange(ROWS - 1) % 2
    rng.shuffle(targets)
    slope = np.mean((2 * targets - 1)[:, None] * features, axis=0)
    found = lo.solve(losses.unhinged, data.Dataset(features, targets), l2=0.1)
    assert found.status.good
    np.testing.assert_allclose(found.cost, 1 - slope @ slope / 0.2, rtol=1e-12)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("enough", [100, 4])
def test_a_value_far_out_hides_nothing_from_a_loose_tolerance(monkeypatch, tolerance, label, enough):
    forget()
    monkeypatch.setattr(_point, "ENOUGH", enough)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS, COLUMNS))
    targets = (rng.uniform(size=ROWS) < 1 / (1 + np.exp(-features @ [0.8, -0.6, 0.5]))).astype(float)
    features[27, 2], targets[27] = 1e6, label
    d = data.Dataset(features, targets)
    least, found = (lo.solve(losses.squared_hinge, d, tolerance=asked) for asked in (1e-10, tolerance))
    assert found.status.name in ("converged", "stalled")
    assert least.cost - 1e-12 <= found.cost <= least.cost + 2 * found.gap
    assert found.gap < 1e-2 or label == 0
    forget()


def test_blocks_without_an_intercept(monkeypatch):
    d, model = table("logistic"), models.without_intercept(models.linear)
    one, found = whole(monkeypatch, losses.logistic, d, model=model), lo.solve(losses.logistic, d, model=model)
    np.testing.assert_allclose(flat(found), flat(one), rtol=1e-8)


@pytest.mark.parametrize("column", ["a copy", "a constant", "in a few rows"])
def test_columns_that_a_sample_cannot_see_are_seen(monkeypatch, column):
    d = table("logistic")
    rare = np.zeros(ROWS)
    rare[25:31] = 1.0
    more = {"a copy": d.features[:, 0] * 2 + 1, "a constant": np.ones(ROWS), "in a few rows": rare}[column]
    d = d._replace(features=np.c_[d.features, more], weights=None, targets=np.where(np.arange(ROWS) % 7, d.targets, 0))
    one, found = whole(monkeypatch, losses.logistic, d), lo.solve(losses.logistic, d)
    assert found.status.name == one.status.name == ("converged" if column == "in a few rows" else "minimum norm")
    np.testing.assert_allclose(flat(found), flat(one), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("quasi", [False, True])
def test_separation_is_seen_in_blocks(quasi):
    d = table("logistic")
    side = d.features[:, 0] - np.median(d.features[:, 0])
    targets = (side > 0).astype(float)
    if quasi:
        # Both classes on the boundary, and nothing but that column to tell them apart.
        side = np.where(np.abs(side) < 0.3, 0.0, side)
        targets = np.where(side == 0, np.arange(ROWS) % 2, targets)
    for steps in (200, 50):
        found = lo.solve(losses.logistic, data.Dataset(side[:, None], targets), max_iterations=steps)
        assert found.status.name == "no finite minimiser"


def of_classes(case, l2):
    d = table("softmax_cross_entropy")
    if case == "separable":
        d = d._replace(targets=np.digitize(d.features[:, 0], [4.5, 5.5]))
    return losses.softmax_cross_entropy, d, {"model": models.softmax(3 + (case == "nobody's")), "l2": l2}


def of_two(case):
    d = table("logistic")
    d = d._replace(targets=np.ones(ROWS)) if case == "of one class" else d
    return losses.logistic, d, {"model": models.logistic, "l1": 0.03}


@pytest.mark.parametrize(
    ("problem", "methods", "status"),
    [
        (of_classes("", 0.1), ["lbfgs, unproved"], "converged"),
        (of_classes("", 1e-15), ["lbfgs, unproved"], "converged"),
        (of_classes("separable", 0.1), ["lbfgs, unproved"], "converged"),
        (of_classes("separable", 1e-9), ["lbfgs, unproved", "lbfgs"], "converged"),
        (of_classes("nobody's", 0.1), ["lbfgs, unproved", "lbfgs"], "no finite minimiser"),
        (of_two(""), ["proximal_newton, unproved"], "converged"),
        (of_two("of one class"), ["proximal_newton, unproved", "proximal_newton"], "no finite minimiser"),
    ],
    ids=["classes", "nearly no penalty", "separable", "nearly for ever", "nobody's class", "two", "one class"],
)
def test_a_proof_is_compiled_where_it_is_needed(monkeypatch, solved, problem, methods, status):
    loss, d, options = problem
    options |= {"method": "lbfgs"} if "l1" not in options else {}
    found = lo.solve(loss, d, **options)
    assert (solved, found.status.name) == (methods, status)
    one = whole(monkeypatch, loss, d, **options)
    assert one.status.name == status
    if one.status.good:
        np.testing.assert_allclose(found.cost, one.cost, rtol=1e-9)


def test_what_is_only_suspected_is_not_claimed(monkeypatch):
    forget()
    monkeypatch.setattr(newton, "falls_for_ever", lambda *_: jnp.array(False))
    d = table("logistic")
    found = lo.solve(losses.logistic, d._replace(targets=(d.features[:, 0] > 5).astype(float)))
    assert not found.status.good
    assert found.status.name != "no finite minimiser"
    forget()


@pytest.fixture
def sampled(monkeypatch):
    """A sample, of a sixteenth of the blocks, is solved first."""
    monkeypatch.setattr(_point, "ENOUGH", 4)
    forget()
    yield
    forget()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tukey"])
def test_a_sample_that_is_solved_first_changes_nothing(sampled, monkeypatch, name):
    loss, d = losses.get(name), table(name)
    places = np.argsort(d.targets, kind="stable")
    model = models.softmax(3) if name.startswith("softmax") else models.linear
    one = whole(monkeypatch, loss, d, model=model)
    for ordered in (d, jax.tree.map(lambda leaf: leaf[places], d)):
        found = lo.solve(loss, ordered, model=model)
        assert found.status.name == one.status.name
        np.testing.assert_allclose(found.cost, one.cost, rtol=1e-12)
        np.testing.assert_allclose(flat(found), flat(one), rtol=1e-6, atol=1e-8)


def in_sample():
    """Whether a row lies in a block that is sampled."""
    return (np.arange(ROWS) // 20) % 16 == 0


def test_a_sample_without_a_class_a_column_or_the_largest_row_misleads_nobody(sampled, monkeypatch):
    d = table("logistic")._replace(weights=None)
    one_class = d._replace(targets=np.where(in_sample(), 1.0, d.targets))
    rare = d._replace(features=np.c_[d.features[:, :2], np.where(in_sample(), 0.0, d.features[:, 2])])
    large = d._replace(features=d.features.copy())
    large.features[~in_sample(), 2] *= 1e9
    for hard in (one_class, rare, large):
        one, found = whole(monkeypatch, losses.logistic, hard), lo.solve(losses.logistic, hard)
        assert found.status.name == one.status.name == "converged"
        np.testing.assert_allclose(found.cost, one.cost, rtol=1e-10)


@pytest.mark.parametrize("name", ["huber", "squared_error"])
def test_one_large_value_and_nearly_dependent_columns_are_solved_whole_at_last(sampled, monkeypatch, name):
    d = table(name)._replace(weights=None)
    value, near = d.features.copy(), d.features.copy()
    value[np.flatnonzero(~in_sample())[7], 2] = 1e9
    near[:, 1] = near[:, 0] + 1e-5 * near[:, 1]
    for hard in (d._replace(features=value), d._replace(features=near)):
        one, found = whole(monkeypatch, losses.get(name), hard), lo.solve(losses.get(name), hard)
        assert found.status.name == one.status.name == "converged"
        np.testing.assert_allclose(found.cost, one.cost, rtol=1e-10)


def test_an_example_outside_the_sample_may_have_no_finite_minimiser():
    d = table("logistic")._replace(weights=None)
    features = np.c_[d.features[:, :2], np.arange(ROWS) == 25]
    assert not in_sample()[25]
    found = lo.solve(losses.logistic, d._replace(features=features))
    assert found.status.name == "no finite minimiser"


@pytest.mark.parametrize(("seldom", "told"), [(0, 0), (1, 51), (4, 13), (64, 1)])
def test_one_block_in_so_many_is_told_that_it_is_wanted(seldom, told):
    def count(rows, share, wanted):
        return _blocks.Fold((jnp.sum(share), jnp.where(wanted, 1, 0)))

    features = jnp.ones((ROWS, COLUMNS + 3))
    (total, found), *_ = _blocks.by_blocks(count, 1, features, jnp.ones(ROWS), seldom=jnp.array(seldom))
    assert (total, found) == (ROWS, told)


@pytest.mark.parametrize("name", ["logistic", "huber", "softmax_cross_entropy"])
def test_a_batch_of_penalties_on_a_large_table_is_a_loop_over_them(name):
    loss, d = losses.get(name), table(name)
    model = models.softmax(3) if name.startswith("softmax") else models.linear
    run = lambda l2: lo.solve(loss, d, model=model, l2=l2)  # noqa: E731
    penalties = jnp.array([0.01, 1.0])
    for index, found in enumerate(jax.vmap(run)(penalties).cost):
        np.testing.assert_allclose(found, run(penalties[index]).cost, rtol=1e-10)


def test_a_large_table_is_not_copied(monkeypatch):
    monkeypatch.setattr(_blocks, "BLOCK", 2**18)
    d = data.Dataset(jax.ShapeDtypeStruct((1_000_000, 50), float), jax.ShapeDtypeStruct((1_000_000,), float))
    loss, l2 = jax.tree_util.Partial(losses.logistic), jnp.zeros(())
    options = {"table": "blocks", "final": False}
    given = d.features, d.weights, _programme.Penalty(None, l2)
    first = _programme.basis_alone.lower(*given, intercept=True, **options)
    options |= {"model": models.linear, "method": "newton", "facts": _traits.traits(losses.logistic)}
    given = loss, d, given[2], first.out_info, None, (l2 + 1e-10, jnp.array(200))
    for lowered in (first, _programme.minimum_alone.lower(*given, **options)):
        use = lowered.compile().memory_analysis()
        assert use.temp_size_in_bytes + use.output_size_in_bytes < 1_000_000 * 50 * 8 / 10


def test_lbfgs_agrees_with_newton():
    d = table("softmax_cross_entropy")
    for l2 in (0.0, 0.1):
        options = {"model": models.softmax(3), "l2": l2}
        exact = lo.solve(losses.softmax_cross_entropy, d, **options)
        found = lo.solve(losses.softmax_cross_entropy, d, method="lbfgs", **options)
        np.testing.assert_allclose(found.cost, exact.cost, rtol=1e-14)
        np.testing.assert_allclose(flat(found), flat(exact), rtol=1e-6, atol=1e-9)
        assert found.status.name == "converged"
        assert 0 <= found.gap < 1e-18


def test_lbfgs_is_chosen_for_many_coefficients_and_ends_at_a_perfect_fit():
    rng = np.random.default_rng(1)
    features = rng.normal(size=(20, 450))
    found = lo.solve(losses.huber, data.Dataset(features, features[:, 0]))
    assert found.status.name == "minimum norm"
    assert found.cost < 1e-20
    np.testing.assert_allclose(found.params.weights, np.linalg.pinv(features - features.mean(0)) @ (
        features[:, 0] - features[:, 0].mean()), atol=1e-9)  # fmt: skip


def test_lbfgs_names_separation():
    features = np.random.default_rng(2).normal(size=(60, 2))
    found = lo.solve(losses.logistic, data.Dataset(features, (features[:, 0] > 0).astype(float)), method="lbfgs")
    assert found.status.name == "no finite minimiser"
