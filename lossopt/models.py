"""Linear models of one score or of several: how to start, and how to predict ONE example."""

import numbers
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class Params(NamedTuple):
    """Coefficients: weights (d,) or (d, k); bias () or (k,), None without an intercept."""

    weights: Float[Array, " d"] | Float[Array, "d k"]
    bias: Float[Array, ""] | Float[Array, " k"] | None


class Model(NamedTuple):
    """A model whose raw score is linear in its parameters. Models that are equal compile once.

    Attributes:
        name: "linear", "logistic", "softmax" or "multi-output".
        classes: the length k of the score, or None where it is one number.
        intercept: whether there is a bias.
    """

    name: str
    classes: int | None = None
    intercept: bool = True

    @property
    def score_shape(self) -> tuple[int, ...]:
        """() or (k,)."""
        return () if self.classes is None else (self.classes,)

    def init(self, num_features: int, dtype: Any = None) -> Params:
        """All coefficients zero: the score of ignorance, and where every fit starts unless told otherwise."""
        # NumPy's zeros are put on the device in half of the time that JAX's take.
        return jax.tree.map(jnp.asarray, zeros(self, num_features, dtype))

    def predict(self, params: Params, features: Float[Array, " d"]) -> Float[Array, "*k"]:
        """The raw score of one example: `features @ weights + bias`; a logit, or k of them, for a classifier."""
        score = features @ params.weights
        return score if params.bias is None else score + params.bias

    def scores(self, params: Params, features: Float[Array, "n d"]) -> Float[Array, " n *k"]:
        """The raw score of every example."""
        return jax.vmap(self.predict, in_axes=(None, 0))(params, features)

    def probability(self, params: Params, features: Float[Array, " d"]) -> Float[Array, "*k"]:
        """The probability of class 1 (logistic), or of each class (softmax), for one example.

        Raises:
            ValueError: the score of this model is no probability.
        """
        score = self.predict(params, features)
        if self.name == "logistic":
            return jax.nn.sigmoid(score)
        if self.name == "softmax":
            return jax.nn.softmax(score)
        use = "logistic" if self.classes is None else f"softmax({self.classes})"
        raise ValueError(f"The score of a {self.name} model is no probability: use models.{use}.")


linear = Model("linear")
logistic = Model("logistic")


def softmax(classes: int) -> Model:
    """The model with one score a class.

    Raises:
        ValueError: fewer than two classes.
    """
    if not _whole(classes) or classes < 2:
        raise ValueError(f"A softmax model needs at least 2 classes, a whole number, not {classes}.")
    return Model("softmax", int(classes))


def multi_output(outputs: int) -> Model:
    """The model with several scores that are no logits: a location and a log scale, an interval, several quantiles.

    Raises:
        ValueError: no output.
    """
    if not _whole(outputs) or outputs < 1:
        raise ValueError(f"A multi-output model needs at least 1 output, a whole number, not {outputs}.")
    return Model("multi-output", int(outputs))


def _whole(number: Any) -> bool:
    return isinstance(number, numbers.Integral)


def zeros(model: Model, num_features: int, dtype: Any = None) -> Params:
    """What `init` gives, as NumPy's arrays, which a programme takes as they are."""
    weights = np.zeros((num_features, *model.score_shape), dtype)
    return Params(weights, np.zeros(model.score_shape, dtype) if model.intercept else None)  # type: ignore[arg-type]


def without_intercept(model: Model) -> Model:
    """The same model through the origin."""
    return model._replace(intercept=False)
