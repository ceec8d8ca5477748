"""optax's own tests of its losses, asked of ours."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from lossopt import losses

from . import suites


class Same(NamedTuple):
    """A loss of optax and ours, the class of their tests that it is in, and how their target becomes ours."""

    theirs: str
    ours: str
    tests: str
    target: Callable[[Any, Any], Any] = lambda t, p: t

    def adapter(self) -> Callable[..., jax.Array]:
        """Ours in their signature: (predictions, targets, **hyperparameters)."""

        def loss(predictions: Any, labels: Any, **hyperparameters: Any) -> jax.Array:
            return suites.batched(self.ours, **hyperparameters)(predictions, self.target(labels, predictions))

        return loss


def _from_signs(t: Any, p: Any) -> Any:
    return (jnp.asarray(t) + 1) / 2


REGRESSION = [
    Same("squared_error", "squared_error", "SquaredErrorTest"),
    Same("l2_loss", "half_squared_error", "L2LossTest"),
    Same("huber_loss", "huber", "HuberLossTest"),
    Same("log_cosh", "log_cosh", "LogCoshTest"),
    Same("cosine_distance", "cosine_distance", "CosineDistanceTest"),
]
CLASSIFICATION = [
    Same("softmax_cross_entropy", "softmax_cross_entropy_soft", "SoftmaxCrossEntropyTest"),
    Same("safe_softmax_cross_entropy", "softmax_cross_entropy_soft", "SafeSoftmaxCrossEntropyTest"),
    Same(
        "softmax_cross_entropy_with_integer_labels",
        "softmax_cross_entropy",
        "SoftmaxCrossEntropyWithIntegerLabelsTest",
    ),
    Same("sigmoid_binary_cross_entropy", "logistic", "SigmoidCrossEntropyTest"),
    Same("sigmoid_focal_loss", "focal", "SigmoidFocalLossTest"),
    Same("hinge_loss", "hinge", "HingeTest", _from_signs),
    Same("multiclass_hinge_loss", "crammer_singer", "HingeTest"),
    Same("perceptron_loss", "perceptron", "PerceptronTest", _from_signs),
    Same("multiclass_perceptron_loss", "multiclass_perceptron", "PerceptronTest"),
    Same("multiclass_sparsemax_loss", "sparsemax", "SparsemaxTest"),
    Same("kl_divergence", "kl_divergence", "KLDivergenceTest"),
]


# Not asked: our losses know no axes and no masks. `per_example` maps over a batch, and `cost` leaves rows out.
LAYOUT = "_axis|_axes|_mask|SoftmaxCrossEntropy.*Test.test_gradient"

ONE_ARGUMENT = "a target left out is not a target of 0"
REGRESSION_DIFFERS = {
    "LogCoshTest.test_batched_predictions_only": ONE_ARGUMENT,
    "LogCoshTest.test_scalar_predictions_only": ONE_ARGUMENT,
}
CLASSIFICATION_DIFFERS = {
    "KLDivergenceTest.test_batched": "one of its targets sums to 0.9, and is no vector of probabilities",
}


def asked(module: str, same: list[Same]) -> suites.Outcomes:
    """The cases of a test module, with its library's losses replaced by ours."""
    tests = suites.suite(f"optax.losses._{module}_test")
    same = [each for each in same if each.ours in losses.names()]
    classes = dict.fromkeys(each.tests for each in same)
    library = getattr(tests, f"_{module}")
    replaced = {(library, each.theirs): each.adapter() for each in same}
    return suites.of_classes(suites.tests_of(tests, classes, but=LAYOUT), replaced)


def test_regression():
    suites.hold(asked("regression", REGRESSION), REGRESSION_DIFFERS)


def test_classification():
    suites.hold(asked("classification", CLASSIFICATION), CLASSIFICATION_DIFFERS)


def test_a_wrong_factor_is_seen():
    found = asked("regression", [Same("l2_loss", "squared_error", "L2LossTest")])
    assert {case.split(".")[1] for case, trouble in found.items() if trouble} == {"test_scalar", "test_batched"}
