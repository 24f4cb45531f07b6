"""The catalogues against the frameworks: what an entry calls theirs is drawn and computed there too.

The frameworks are not needed elsewhere; where one is missing its tests are skipped. To run them all::

    pip install torch jax keras flax dm-haiku tensorflow
    pytest tests/network/test_frameworks.py

Keras runs on JAX here. Weights are compared by sample, in winit's layout (fan_in, fan_out); activations and
their derivatives point by point in float64.
"""

import inspect
import itertools
import math
import pkgutil
import typing
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import stats

from winit.network import labels
from winit.network.activations import ACTIVATIONS, activation
from winit.network.draws import Draws
from winit.network.initializers import INITIALIZERS, Layer, initializer
from winit.network.labels import LabelError, arguments_of
from winit.network.libraries import SIGNATURES, Place, place_of

SHAPE = (400, 600)


def framework(name):
    """The package; skips the test where it is not installed."""
    if name == "keras":
        pytest.importorskip("jax")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KERAS_BACKEND", "jax")
            keras = pytest.importorskip("keras")
        assert keras.backend.backend() == "jax"
    return pytest.importorskip(name)


def dotted(where):
    """``jax.nn.gelu`` of ``jax.nn.gelu (approximate=False)``."""
    return where.split(" (")[0]


def theirs(where):
    """What a name of the catalogue names; fails where there is no such thing."""
    framework(where.split(".")[0])
    return pkgutil.resolve_name(dotted(where))


def parameters_of(function):
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:  # compiled, as torch.abs
        return {}
    return {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
    }


def short(value):
    return value.replace(" ", "") if isinstance(value, str) else None


def public(module):
    """The public functions and classes of a module, without what it imported from other packages."""
    names = getattr(module, "__all__", None) or [name for name in dir(module) if name[0] != "_"]
    root = module.__name__.split(".")[0]
    found = {name: getattr(module, name) for name in names}
    return {
        name: value
        for name, value in found.items()
        if callable(value) and (getattr(value, "__module__", None) or "").split(".")[0] == root
    }


def missing(name, catalogue, left_out):
    """The public names of a framework's module that are neither in the catalogue nor left out on purpose."""
    framework(name.split(".")[0])
    known = {
        id(theirs(where))  # by identity, so that a framework's aliases count
        for entry in catalogue.values()
        for where in entry.frameworks
        if where.startswith(name.split(".")[0])
    }
    return {
        name
        for name, value in public(pkgutil.resolve_name(name)).items()
        if id(value) not in known and name not in left_out
    }


# Initializers


def layer(shape=SHAPE, seed=0, phi="relu"):
    return Layer(*shape, 1, 3, activation(phi), Draws(seed), np.dtype(np.float32))


def ours(label, shape=SHAPE, seed=0, phi="relu"):
    """W and b, by winit."""
    return initializer(label).parameters(layer(shape, seed, phi))


def by_keras(initializer_class, shape, seed, **arguments):
    seeded = {"seed": seed} if "seed" in parameters_of(initializer_class) else {}
    return np.asarray(initializer_class(**arguments, **seeded)(shape)), None


def by_jax(function, shape, seed, **arguments):
    import jax

    if "key" not in parameters_of(function):  # all but zeros and ones make the initializer first
        function = function(**arguments)
    return np.asarray(function(jax.random.key(seed), shape)), None


def by_torch(function, shape, seed, **arguments):
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return function(torch.empty(shape[::-1]), **arguments).numpy().T, None


def by_torch_linear(module, shape, seed):
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = module(*shape)
    return made.weight.detach().numpy().T, made.bias.detach().numpy()


def by_flax_linen(module, shape, seed):
    import jax

    made = module(shape[1]).init(jax.random.key(seed), np.ones((1, shape[0]), np.float32))["params"]
    return np.asarray(made["kernel"]), np.asarray(made["bias"])


def by_flax_nnx(module, shape, seed):
    from flax import nnx

    made = module(*shape, rngs=nnx.Rngs(seed))
    return np.asarray(made.kernel), np.asarray(made.bias)


def by_haiku(module, shape, seed):
    import haiku
    import jax

    def network(x):
        return module(shape[1])(x)

    inputs = np.ones((1, shape[0]), np.float32)
    (made,) = haiku.transform(network).init(jax.random.key(seed), inputs).values()
    return np.asarray(made["w"]), np.asarray(made["b"])


def by_sklearn(estimator, shape, seed, **arguments):
    # There is no public way to the weights before training: train for one step of no length.
    made = estimator(
        **arguments,
        hidden_layer_sizes=shape[1:],
        solver="sgd",
        learning_rate_init=1e-30,
        alpha=0,
        max_iter=1,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Stochastic Optimizer: Maximum iterations")
        made.fit(np.zeros((4, shape[0]), np.float32), [0, 1, 0, 1])
    return made.coefs_[0], made.intercepts_[0]


MAKERS = {
    "keras.initializers.": by_keras,
    "jax.nn.initializers.": by_jax,
    "torch.nn.init.": by_torch,
    "torch.nn.Linear": by_torch_linear,
    "flax.linen.Dense": by_flax_linen,
    "flax.nnx.Linear": by_flax_nnx,
    "haiku.Linear": by_haiku,
    "sklearn.neural_network.": by_sklearn,
}


def drawn(label, where, shape=SHAPE, seed=0, **arguments):
    """W and b, by the framework, with the arguments that the label gives; its own defaults for the others."""
    (make,) = (make for start, make in MAKERS.items() if where.startswith(start))
    return make(theirs(where), shape, seed, **dict(labels.parse(label).keyword), **arguments)


def choices(name, argument):
    """The words that winit allows here, without ``activation``, which is its own."""
    annotation = arguments_of(INITIALIZERS[name].function).parameters[argument].annotation
    return tuple(choice for choice in typing.get_args(annotation) if choice != "activation")


SCALED = [
    f"{name}({first}, mode={mode}, {last}={choice})"
    for name, first, last in (
        ("keras.variance_scaling", "scale=3.0", "distribution"),
        ("jax.variance_scaling", "scale=3.0", "distribution"),
        ("torch.kaiming_normal", "a=0.5", "nonlinearity"),
        ("torch.kaiming_uniform", "a=0.5", "nonlinearity"),
    )
    for mode, choice in itertools.product(choices(name, "mode"), choices(name, last))
]
LABELS = [
    *(entry.label for entry in INITIALIZERS.values() if entry.frameworks),
    "keras.random_normal(mean=1.0, stddev=0.2)",
    "keras.random_uniform(minval=0.1, maxval=0.4)",
    "keras.truncated_normal(mean=1.0, stddev=0.2)",
    "keras.orthogonal(gain=2.0)",
    "keras.identity(gain=2.5)",
    "keras.constant(value=0.1)",
    "jax.normal(stddev=0.2)",
    "jax.uniform(scale=3.0)",
    "jax.truncated_normal(stddev=0.5, lower=-1.0, upper=3.0)",
    "jax.orthogonal(scale=2.0)",
    "torch.uniform(a=-1.0, b=3.0)",
    "torch.normal(mean=1.0, std=0.2)",
    "torch.trunc_normal(std=0.02)",
    "torch.trunc_normal(mean=1.0, std=2.0, a=0.0, b=2.5)",
    "torch.xavier_normal(gain=3.0)",
    "torch.xavier_uniform(gain=3.0)",
    "torch.orthogonal(gain=2.0)",
    "torch.sparse(sparsity=0.5, std=2.0)",
    *SCALED,
]
NOT_RANDOM = ("zeros", "ones", "constant", "identity", "eye")
PLACES = [(label, where) for label in LABELS for where in initializer(label).entry.frameworks]
RANDOM = [case for case in PLACES if not initializer(case[0]).entry.name.endswith(NOT_RANDOM)]
FIXED = [case for case in PLACES if case not in RANDOM]
LAYERS = [case for case in PLACES if ".init" not in case[1]]


def assert_same_law(here, there):
    """Compare two samples of independent numbers: distribution, first two moments, ends of the support."""
    here, there = (values.astype(np.float64).ravel() for values in (here, there))
    assert stats.ks_2samp(here, there).pvalue > 1e-5
    for power in (1, 2):
        error = math.sqrt(sum((values**power).var() / values.size for values in (here, there)))
        assert (here**power).mean() == pytest.approx((there**power).mean(), abs=5 * error)
    # A normal reaches some 4.5 std on either side, here and there by chance; one that is cut, and a uniform,
    # fill their support.
    std = there.std()
    by_chance = 2 if np.ptp(there) > 7 * std else 1000 / there.size
    for end in (np.min, np.max):
        assert end(here) == pytest.approx(end(there), abs=by_chance * std)


@pytest.mark.parametrize(("label", "where"), RANDOM, ids=short)
def test_weights_have_the_law_of_the_frameworks(label, where):
    (here, own_bias), (there, their_bias) = ours(label), drawn(label, where)
    assert_same_law(here, there)
    assert (own_bias is None) == (their_bias is None)


@pytest.mark.parametrize(("label", "where"), FIXED, ids=short)
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_weights_that_are_not_random_are_the_frameworks(label, where, shape):
    assert (ours(label, shape)[0] == drawn(label, where, shape)[0]).all()


@pytest.mark.parametrize(("label", "where"), LAYERS, ids=short)
def test_the_bias_of_a_layer_has_the_law_of_the_frameworks(label, where):
    here, there = (made[1] for made in (ours(label, (40, 20_000)), drawn(label, where, (40, 20_000))))
    if there.any():
        assert_same_law(here, there)
    else:
        assert not here.any()


@pytest.mark.parametrize("where", INITIALIZERS["sklearn.mlp"].frameworks)
@pytest.mark.parametrize(
    ("phi", "name"), [("identity", "identity"), ("sigmoid", "logistic"), ("tanh", "tanh"), ("relu", "relu")]
)
def test_the_law_of_sklearn_hangs_on_the_activation_as_there(where, phi, name):
    made = ours("sklearn.mlp", (200, 300), phi=phi)
    for here, there in zip(made, drawn("sklearn.mlp", where, (200, 300), activation=name), strict=True):
        assert np.abs(here).max() == pytest.approx(np.abs(there).max(), rel=0.05)
        assert stats.ks_2samp(here.ravel(), there.ravel()).pvalue > 1e-5


ORTHOGONAL = [case for case in PLACES if initializer(case[0]).entry.name.endswith("orthogonal")]


@pytest.mark.parametrize(("label", "where"), ORTHOGONAL, ids=short)
@pytest.mark.parametrize("shape", [(40, 40), (60, 40), (40, 60)])
def test_orthogonal_weights_are_orthogonal_on_the_side_that_the_frameworks_are(label, where, shape):
    for product in (lambda w: w.T @ w, lambda w: w @ w.T):
        here, there = (
            product(w.astype(np.float64)) for w in (ours(label, shape)[0], drawn(label, where, shape)[0])
        )
        identity = here[0, 0] * np.eye(len(here))
        if len(here) == min(shape):
            assert here == pytest.approx(identity, abs=1e-5)
            assert there == pytest.approx(identity, abs=1e-5)
        else:
            assert np.abs(there - np.diag(np.diag(there))).max() > 0.01


@pytest.mark.parametrize(("label", "where"), ORTHOGONAL, ids=short)
def test_orthogonal_weights_have_no_sign_of_the_decomposition_as_in_the_frameworks(label, where):
    corners = [(ours(label, (2, 2), seed)[0], drawn(label, where, (2, 2), seed)[0]) for seed in range(150)]
    for place in ((0, 0), (1, 1)):
        here, there = ([w[place] for w in made] for made in zip(*corners, strict=True))
        assert stats.ks_2samp(here, there).pvalue > 1e-3


@pytest.mark.parametrize("sparsity", [0.0, 0.29, 0.5, 0.901, 1.0])
@pytest.mark.parametrize("shape", [(40, 100), (100, 40)])
def test_sparse_weights_have_torchs_zeros_in_each_row(sparsity, shape):
    label = f"torch.sparse(sparsity={sparsity})"
    here, there = (
        made[0] == 0 for made in (ours(label, shape), drawn(label, "torch.nn.init.sparse_", shape))
    )
    assert (here.sum(axis=1) == there.sum(axis=1)).all()
    assert len(set(here.sum(axis=0))) > 1 or sparsity in {0.0, 1.0}


# What has no meaning for the weights of a dense layer: its dtype, axes and random numbers.
OF_THE_DRAW = {
    "tensor", "generator",
    "key", "shape", "dtype", "in_axis", "out_axis", "batch_axis", "column_axis", "out_sharding",
    "seed", "input_axes", "output_axes",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "where"),
    [
        (entry.name, where)
        for entry in INITIALIZERS.values()
        for where in entry.frameworks
        if (entry.label, where) not in LAYERS
    ],
)
def test_arguments_and_defaults_of_initializers_are_the_frameworks(name, where):
    mine = arguments_of(INITIALIZERS[name].function).parameters
    known = {
        key: value.default for key, value in parameters_of(theirs(where)).items() if key not in OF_THE_DRAW
    }
    assert [(key, value.default) for key, value in mine.items()] == list(known.items())


CHOICES = [
    (name, argument)
    for name, entry in INITIALIZERS.items()
    if entry.frameworks
    for argument in ("mode", "distribution", "nonlinearity")
    if argument in arguments_of(entry.function).parameters
]


@pytest.mark.parametrize(("name", "argument"), CHOICES)
def test_the_words_that_winit_refuses_the_frameworks_refuse_too(name, argument):
    every_word = {word for other, known in CHOICES if known == argument for word in choices(other, argument)}
    entry = INITIALIZERS[name]
    needed = dict(labels.parse(entry.label).keyword)
    (where,) = entry.frameworks
    for word in (every_word - set(choices(name, argument))) | {"gelu"}:
        with pytest.raises(ValueError, match=word):
            drawn(name, where, (4, 4), **(needed | {argument: word}))


@pytest.mark.parametrize(
    "phi", [*(entry.label for entry in ACTIVATIONS.values()), "leaky_relu(negative_slope=0.3)"]
)
def test_the_gain_of_every_activation_is_torchs_and_where_it_has_none_there_is_none(phi):
    torch = framework("torch")
    where, found = layer(phi=phi), activation(phi)
    name = "linear" if phi == "identity" else found.entry.name
    xavier = initializer("torch.xavier_normal(gain=activation)")
    kaiming = initializer("torch.kaiming_uniform(nonlinearity=activation)")
    try:
        gain = torch.nn.init.calculate_gain(name, dict(found.arguments).get("negative_slope"))
    except ValueError:
        for made in (xavier, kaiming):
            with pytest.raises(LabelError, match=found.entry.name):
                made.laws(where)
    else:
        assert xavier.laws(where)[0].std == pytest.approx(gain * math.sqrt(2 / sum(SHAPE)))
        assert kaiming.laws(where)[0].std == pytest.approx(gain / math.sqrt(SHAPE[0]))


def test_a_dense_layer_of_keras_is_glorot_uniform_without_bias():
    keras = framework("keras")
    made = keras.layers.Dense(4)
    assert type(made.kernel_initializer) is theirs(INITIALIZERS["keras.glorot_uniform"].frameworks[0])
    assert type(made.bias_initializer) is theirs(INITIALIZERS["keras.zeros"].frameworks[0])


NO_INITIALIZER = {
    "keras.initializers": {
        "Initializer": "the base class",
        "get": "a look-up",
        "serialize": "a look-up",
        "deserialize": "a look-up",
        "STFT": "for three-dimensional kernels",
        "STFTInitializer": "the same",
        "stft": "the same",
    },
    "jax.nn.initializers": {
        "Initializer": "the protocol",
        "delta_orthogonal": "for convolutions",
    },
    "torch.nn.init": {
        "Tensor": "imported there",
        "calculate_gain": "gives a number",
        "dirac_": "for convolutions",
        **dict.fromkeys(
            (
                "constant", "dirac", "eye", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal",
                "sparse", "uniform", "xavier_normal", "xavier_uniform",
            ),
            "deprecated: the same with an underscore",
        ),
    },
}  # fmt: skip


@pytest.mark.parametrize("module", NO_INITIALIZER)
def test_every_initializer_of_a_framework_is_in_the_catalogue(module):
    assert missing(module, INITIALIZERS, NO_INITIALIZER[module]) == set()


# Activations

# What is in no version that these tests run with.
GONE = {"keras.activations.hard_sigmoid (before Keras 3)"}

# How far the framework is away by its own doing.
AWAY = {
    "torch.nn.Softplus (z itself where beta z > 20, less by under 2.1e-9 / beta)": 2.1e-9,
    # The derivative's 1/6 is a float32 whatever the dtype.
    "torch.nn.Hardsigmoid": 5e-9,
    # 1 + tanh u cancels, and is then multiplied by u'.
    "jax.nn.gelu": 5e-14,
    # Constants and arguments that are float32 whatever the dtype.
    "tensorflow.nn.gelu": 5e-8,
    "tensorflow.nn.gelu (approximate=True)": 5e-8,
    "tensorflow.nn.leaky_relu (alpha=negative_slope, negative_slope=0.2)": 1e-5,
    "keras.activations.gelu (approximate=True)": 5e-14,
    # On JAX, Keras computes these in float32.
    "keras.activations.tanh": 5e-7,
    "keras.ops.sin": 5e-7,
    "keras.ops.cos": 5e-7,
}

# φ' at kinks where the framework takes another one than winit (and mostly, than another framework).
OTHER_SLOPE = {
    "jax.nn.leaky_relu": {0: 1},
    "keras.activations.leaky_relu": {0: 1},
    "keras.layers.LeakyReLU": {0: 1},
    "tensorflow.nn.selu": {0: 1.0507009873554805},
    "jax.nn.hard_tanh": {-1: 1, 1: 1},
    "keras.activations.hard_tanh": {-1: 1, 1: 1},
    "jax.numpy.abs": {0: 1},
    "keras.ops.abs": {0: 1},
    "jax.nn.sparse_sigmoid": {-1: 0.25, 1: 0.25},
    "keras.activations.sparse_sigmoid": {-1: 0.25, 1: 0.25},
}

# Functions without the argument that winit has, …
WITHOUT = {
    "jax.nn.softplus", "keras.activations.softplus", "tensorflow.nn.softplus", "tensorflow.nn.elu",
    "keras.layers.PReLU",
    *(
        f"{module}.{name}"
        for module in ("torch", "jax.numpy", "keras.ops", "tensorflow.math")
        for name in ("sin", "cos")
    ),
}  # fmt: skip
# … and arguments that winit has not, and that change nothing for it.
UNUSED = {
    "torch.nn.Hardtanh": {"min_value", "max_value"},
    "keras.layers.PReLU": {
        "alpha_initializer",
        "alpha_regularizer",
        "alpha_constraint",
        "shared_axes",
    },
}
OF_THE_MODULE = {"inplace", "device", "dtype", "name"}

FOUND = [
    (entry.label, where) for entry in ACTIVATIONS.values() for where in entry.frameworks if where not in GONE
]
WITH_ARGUMENTS = [
    (label, where)
    for label in (
        "softplus(beta=3.0)",
        "squareplus(b=0.5)",
        "leaky_relu(negative_slope=0.3)",
        "leaky_relu(negative_slope=-1.5)",
        "prelu(alpha=-0.5)",
        "elu(alpha=0.5)",
        "celu(alpha=2.0)",
        "celu(alpha=0.5)",
        "hard_shrink(threshold=1.0)",
        "soft_shrink(threshold=1.5)",
        "threshold(threshold=-1.0, value=2.0)",
    )
    for where in activation(label).entry.frameworks
    if dotted(where) not in WITHOUT
    and not ("-1.5" in label and where.startswith("keras.layers."))  # which refuse it
]

# Every kink of the catalogue, as a number that is exact; tails; and where tails begin to round.
GRID = np.array(
    [*(i / 8 for i in range(-96, 97)), *(s * x for s in (1, -1) for x in (1e-9, 1e-3, 20.5, 37, 100, 700))]
)


@contextmanager
def float64_in_jax():
    import jax

    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


def pair_by_torch(made, z):
    import torch

    if isinstance(made, torch.nn.Module):
        made = made.double()
    z = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    h = made(z)
    h.sum().backward()
    return h.detach().numpy(), z.grad.numpy()


def pair_by_jax(made, z):
    import jax

    h, pull = jax.vjp(made, jax.numpy.asarray(z))
    (derivative,) = pull(jax.numpy.ones_like(h))
    return np.asarray(h), np.asarray(derivative)


def pair_by_tensorflow(made, z):
    import tensorflow as tf

    z = tf.constant(z, "float64")
    with tf.GradientTape() as tape:
        tape.watch(z)
        h = made(z)
    return h.numpy(), tape.gradient(h, z, unconnected_gradients="zero").numpy()


def place_at(where):
    """What the catalogue says of a framework's name, as winit reads it."""
    (entry,) = (entry for entry in ACTIVATIONS.values() if where in entry.frameworks)
    return place_of(where, entry.function)


def their_pair(where, arguments, z):
    """φ(z) and φ'(z) of the framework, in float64."""
    place = place_at(where)
    names = {ours: their for their, ours in place.renamed.items()}
    arguments = {names.get(name, name): value for name, value in arguments.items()} | dict(place.given)
    function = theirs(where)
    if where.startswith("torch."):
        made = function(**arguments) if inspect.isclass(function) else lambda z: function(z, **arguments)
        return pair_by_torch(made, z)
    if where.startswith("tensorflow."):
        return pair_by_tensorflow(lambda z: function(z, **arguments), z)
    with float64_in_jax():
        if inspect.isclass(function):
            return pair_by_jax(function(**arguments, dtype="float64"), z)
        return pair_by_jax(lambda z: function(z, **arguments), z)


@pytest.mark.parametrize(("label", "where"), [*FOUND, *WITH_ARGUMENTS], ids=short)
def test_values_and_derivatives_of_activations_are_the_frameworks(label, where):
    given = dict(labels.parse(label).keyword)
    defaults = ", ".join(f"{name}={value}" for name, value in place_at(where).defaults.items())
    h, derivative = activation(f"{label}({defaults})" if defaults and not given else label)(GRID)
    for z, slope in OTHER_SLOPE.get(dotted(where), {}).items():
        assert (derivative[z == GRID] != slope).all()
        derivative[z == GRID] = slope
    # Some of theirs are differences of numbers as large as z, which winit's are not.
    rounding = 2e-15 * np.maximum(1, np.abs(GRID)) + AWAY.get(where, 0)
    for mine, other in zip((h, derivative), their_pair(where, given, GRID), strict=True):
        wrong = ~(np.abs(mine - other) <= rounding + 1e-12 * np.abs(other))
        assert not wrong.any(), [*zip(GRID[wrong], mine[wrong], other[wrong], strict=True)]


@pytest.mark.parametrize("label", [entry.label for entry in ACTIVATIONS.values() if entry.frameworks])
def test_every_kink_is_on_the_grid(label):
    assert set(activation(label).kinks) <= set(GRID)


@pytest.mark.parametrize(("label", "where"), FOUND, ids=short)
def test_arguments_and_defaults_of_activations_are_the_frameworks(label, where):
    mine = {
        key: value.default for key, value in arguments_of(activation(label).entry.function).parameters.items()
    }
    place = place_at(where)
    found, function = theirs(where), parameters_of(theirs(where))
    skipped = 0 if inspect.isclass(found) else 1  # z
    known = {
        place.renamed.get(key, key): function[key].default
        for key in list(function)[skipped:]
        if key not in OF_THE_MODULE
    }
    assert (mine.keys() - known.keys() != set()) == (dotted(where) in WITHOUT)
    assert known.keys() - mine.keys() - SIGNATURES.get(place.name, {}).keys() <= UNUSED.get(place.name, set())
    for name in mine.keys() & known.keys():
        assert known[name] == {**mine, **place.defaults}[name]


@pytest.mark.parametrize("where", SIGNATURES)
def test_signatures_are_the_frameworks(where):
    known = {
        key: value.default
        for key, value in parameters_of(theirs(where)).items()
        if key not in {*OF_THE_MODULE, *UNUSED.get(where, ())} and value.default is not value.empty
    }
    assert list(known.items()) == list(SIGNATURES[where].items())


def test_every_note_on_a_framework_is_tested_here():
    noted = {where for entry in ACTIVATIONS.values() for where in entry.frameworks if where != dotted(where)}
    read = {where for where in noted if place_at(where) != Place(dotted(where))}
    assert noted == read | {where for where in {*AWAY, *GONE} if where != dotted(where)}


MIXES = "mixes units"
NO_ACTIVATION = {
    "torch.nn.modules.activation": {
        "RReLU": "random",
        "GLU": MIXES,
        "MultiheadAttention": MIXES,
        "Softmin": MIXES,
        "Softmax": MIXES,
        "Softmax2d": MIXES,
        "LogSoftmax": MIXES,
    },
    "jax.nn": {
        "dot_product_attention": MIXES,
        "get_scaled_dot_general_config": "a setting",
        "scaled_dot_general": "a product",
        "scaled_matmul": "a product",
        "glu": MIXES,
        "softmax": MIXES,
        "log_softmax": MIXES,
        "logsumexp": MIXES,
        "logmeanexp": MIXES,
        "standardize": MIXES,
        "one_hot": "takes whole numbers",
        "log1mexp": "is for positive z",
    },
    "keras.activations": {
        "get": "a look-up",
        "serialize": "a look-up",
        "deserialize": "a look-up",
        "glu": MIXES,
        "softmax": MIXES,
        "log_softmax": MIXES,
        "sparsemax": MIXES,
    },
}


@pytest.mark.parametrize("module", NO_ACTIVATION)
def test_every_activation_of_a_framework_is_in_the_catalogue(module):
    assert missing(module, ACTIVATIONS, NO_ACTIVATION[module]) == set()
