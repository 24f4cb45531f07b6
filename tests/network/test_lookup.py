"""Names as other libraries write them are what they are there, or are refused with what they may be."""

import re
import shlex

import pytest

from winit.network import labels, lookup
from winit.network.activations import ACTIVATIONS, activation
from winit.network.initializers import INITIALIZERS, initializer
from winit.network.labels import LabelError
from winit.network.libraries import place_of

MAKE = {"initializer": initializer, "activation": activation}
CATALOGUES = {"initializer": INITIALIZERS, "activation": ACTIVATIONS}
PLACES = [
    (kind, entry, text)
    for kind, catalogue in CATALOGUES.items()
    for entry in catalogue.values()
    for text in entry.frameworks
]
NOW = [
    (kind, entry, place)
    for kind, entry, text in PLACES
    if not (place := place_of(text, entry.function)).former
]
ids = {"ids": lambda value: getattr(value, "name", None)}


def needed(entry):
    """The arguments without which a label of the entry is none."""
    return dict(labels.parse(entry.label).keyword)


def written(name, arguments):
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def expected(kind, entry, place):
    """The label that a name of a library stands for: that of the library's own entry where there is one."""
    own = f"{place.name.partition('.')[0]}.{entry.name.rpartition('.')[2]}"
    ours = CATALOGUES[kind].get(own)
    named = ours if ours and place.name in {text.partition(" (")[0] for text in ours.frameworks} else entry
    return MAKE[kind](written(named.name, {**place.defaults, **needed(entry)})).label


def spellings(name):
    """One name of a library in the forms in which people write it."""
    yield name
    for long, short in (
        ("torch.nn.init.", ("nn.init.", "init.")),
        ("torch.nn.", ("torch.nn.functional.", "F.", "torch.nn.modules.")),
        ("keras.", ("tf.keras.", "tensorflow.keras.")),
        ("keras.activations.", ("activations.", "tf.keras.activations.")),
        ("keras.initializers.", ("tf.keras.initializers.", "tf.initializers.")),
        ("jax.nn.initializers.", ("nn.initializers.", "flax.linen.initializers.")),
        ("jax.numpy.", ("jnp.",)),
        ("tensorflow.", ("tf.",)),
    ):
        if name.startswith(long):
            for head in short:
                yield head + name.removeprefix(long)


@pytest.mark.parametrize(("kind", "entry", "place"), NOW, **ids)
def test_a_library_s_name_is_what_it_is_there(kind, entry, place):
    known = {new: old for old, new in place.renamed.items()}
    arguments = {known.get(name, name): value for name, value in needed(entry).items()}
    wanted = expected(kind, entry, place)
    for name in spellings(place.name):
        label = written(name, {**place.given, **arguments})
        assert MAKE[kind](label).label == wanted, label
        if not place.given and not arguments:
            assert MAKE[kind](name).label == wanted


@pytest.mark.parametrize(("kind", "entry", "place"), NOW, **ids)
def test_arguments_keep_their_meaning(kind, entry, place):
    """By the library's name for them, by ours, and by their place where theirs has the same."""
    values = {
        name: value if isinstance(value, (str, bool)) else 0.75 * (value or 1.0)
        for name, value in {
            **{p.name: p.default for p in labels.arguments_of(entry.function).parameters.values()},
            **needed(entry),
        }.items()
    }
    known = {new: old for old, new in place.renamed.items()}
    theirs = {known.get(name, name): value for name, value in values.items()}
    made = MAKE[kind](written(place.name, {**place.given, **theirs}))
    assert dict(made.arguments) == values


@pytest.mark.parametrize(("kind", "entry", "place"), NOW, **ids)
def test_a_name_without_its_prefix_is_one_thing_or_offers_every_meaning(kind, entry, place):
    """Each that is offered is a label to copy, and the one that is meant is among them."""
    leaf = place.name.rpartition(".")[2]
    wanted = {expected(kind, entry, place), *_named(kind, leaf)}
    for name in {leaf, leaf.lower(), leaf.upper(), leaf.replace("_", "")} - {*names(kind)}:
        try:
            assert MAKE[kind](written(name, place.given)).label in wanted
        except LabelError as error:
            said = str(error)
            offered = re.findall(r"'([^']+)' \(", said)
            assert {MAKE[kind](offer).label for offer in offered} == {*offered}
            missing = "missing a required argument" in said or "a layer of its own" in said
            assert len(offered) > 1 or missing, said


def names(kind):
    """What stands in the catalogue, aliases too."""
    return labels.with_aliases(CATALOGUES[kind])


def _named(kind, leaf):
    """The labels of what has that name, here or elsewhere."""

    def alike(name):
        return name.rpartition(".")[2].replace("_", "").lower() == leaf.replace("_", "").lower()

    here = [entry for name, entry in names(kind).items() if alike(name)]
    there = [one for one in NOW if one[0] == kind and alike(one[2].name)]
    return {MAKE[kind](entry.label).label for entry in here} | {expected(*one) for one in there}


@pytest.mark.parametrize("kind", MAKE)
def test_what_stands_here_is_ours_whatever_it_is_elsewhere(kind):
    for name, entry in names(kind).items():
        label = written(name, needed(entry))
        assert MAKE[kind](label).entry is entry


@pytest.mark.parametrize(
    ("kind", "written", "label"),
    [
        ("activation", "ReLU", "relu"),
        ("activation", "nn.ReLU()", "relu"),
        ("activation", "nn.ReLU(inplace=True)", "relu"),
        ("activation", "torch.relu_", "relu"),
        ("activation", "LeakyReLU(0.2)", "leaky_relu(negative_slope=0.2)"),
        ("activation", "keras.layers.LeakyReLU()", "leaky_relu(negative_slope=0.3)"),
        ("activation", "tf.nn.leaky_relu(alpha=1/8)", "leaky_relu(negative_slope=0.125)"),
        ("activation", "nn.LeakyReLU(0.1, True)", "leaky_relu(negative_slope=0.1)"),
        ("activation", "nn.ELU(alpha=1.0)", "elu"),
        ("activation", "nn.GELU(approximate='tanh')", "gelu_tanh"),
        ("activation", "nn.GELU('none')", "gelu"),
        ("activation", "jax.nn.gelu", "gelu_tanh"),
        ("activation", "flax.linen.gelu(approximate=False)", "gelu"),
        ("activation", "tf.nn.gelu", "gelu"),
        ("activation", "nn.Hardtanh(-1, 1)", "hard_tanh"),
        ("activation", "nn.PReLU(init=0.1)", "prelu(alpha=0.1)"),
        ("activation", "nn.PReLU(1, 0.1)", "prelu(alpha=0.1)"),
        ("activation", "nn.Softshrink(lambd=0.25)", "soft_shrink(threshold=0.25)"),
        ("activation", "nn.Softplus(beta=2, threshold=20)", "softplus(beta=2.0)"),
        ("activation", "Swish", "silu"),
        ("activation", "keras.activations.linear", "identity"),
        ("initializer", "tf.keras.initializers.HeNormal()", "keras.he_normal"),
        ("initializer", "tf.initializers.GlorotNormal", "keras.glorot_normal"),
        ("initializer", "RandomNormal(stddev=0.04)", "keras.random_normal(stddev=0.04)"),
        ("initializer", "nn.init.orthogonal_(gain=sqrt(2))", "torch.orthogonal(gain=1.4142135623730951)"),
        ("initializer", "kaiming_uniform_(a=sqrt(5))", "torch.kaiming_uniform(a=2.23606797749979)"),
        ("initializer", "xavier_normal_", "torch.xavier_normal"),
        ("initializer", "nn.initializers.normal(0.02)", "jax.normal(stddev=0.02)"),
        ("initializer", "torch.nn.init.normal_(0, 0.02)", "torch.normal(std=0.02)"),
        ("initializer", "hk.Linear", "haiku.linear"),
        ("initializer", "Constant", "keras.constant"),  # the others have no default
        ("initializer", "keras.initializers.HeNormal(seed=None)", "keras.he_normal"),
    ],
)
def test_names_as_people_write_them(kind, written, label):
    assert MAKE[kind](written).label == label


@pytest.mark.parametrize(
    ("kind", "written", "message"),
    [
        ("activation", "GELU", r"'gelu' \(.*torch.nn.GELU\) or 'gelu_tanh' \(jax.nn.gelu\); write which"),
        ("activation", "LeakyReLU", r"'leaky_relu' .*'leaky_relu\(negative_slope=0.3\)' \(keras.layers"),
        ("activation", "nn.Hardtanh(-2, 2)", "min_val is -2; the catalogue has it with -1.0 alone"),
        ("activation", "nn.GELU(approximate='exact')", "approximate is exact"),
        ("activation", "nn.ELU(1.0, alpha=2)", "alpha is given twice"),
        ("activation", "nn.ELU(1.0, 2.0)", "2 arguments are given, and it takes alpha"),
        ("activation", "nn.ELU(beta=2)", "elu has no argument 'beta'"),
        (
            "activation",
            "gelu(approximate='tanh')",
            r"no argument 'approximate' \(it has: none\); elsewhere it is 'gelu_tanh' \(torch.nn.GELU\)",
        ),
        (
            "activation",
            "leaky_relu(alpha=0.1)",
            r"elsewhere it is 'leaky_relu\(negative_slope=0.1\)' \(tensor",
        ),
        ("activation", "np.tanh", "did you mean 'tanh'"),
        ("activation", "my.ReLU", "did you mean 'relu'"),
        ("activation", "QuickGELU", "did you mean 'gelu'"),
        ("activation", "Softmax", "mixes the units"),
        ("activation", "torch.nn.BatchNorm1d(10)", "mixes the units"),
        ("activation", "LayerNorm", "mixes the units"),
        ("activation", "nn.Linear(3, 4)", "a layer of its own"),
        ("activation", "Dropout(0.5)", "a layer of its own"),
        ("activation", "nn.RReLU", r"leaky_relu\(negative_slope=11/48\)"),
        ("initializer", "HeNormal", r"'he_normal' \(He et al. 2015\), 'keras.he_normal' .*'jax.he_normal'"),
        (
            "initializer",
            "TruncatedNormal(stddev=0.02)",
            r"'keras.truncated_normal\(stddev=0.02\)' .* or 'jax",
        ),
        ("initializer", "HeNormal(seed=3)", "the seeds are those of the network"),
        ("initializer", "Xavier", "did you mean 'xavier_normal' or 'xavier_uniform'"),
        ("initializer", "nn.init.constant_", "missing a required argument"),
    ],
)
def test_what_is_not_one_thing_is_refused_with_the_mend(kind, written, message):
    with pytest.raises(LabelError, match=message) as caught:
        MAKE[kind](written)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("written", ["Foo", "nn.Foo", "snake", "zzz()", "torch.nn.init.dirac_", "x" * 200])
@pytest.mark.parametrize("kind", MAKE)
def test_nonsense_has_no_suggestion(kind, written):
    with pytest.raises(LabelError, match=f"unknown {kind}") as caught:
        MAKE[kind](written)
    assert "mean" not in str(caught.value)


def test_layers_are_refused_whatever_their_spelling():
    for name in shlex.split("Softmax softmax F.softmax nn.Softmax2d LogSoftmax log_softmax tf.nn.softmax"):
        with pytest.raises(LabelError, match="takes each unit by itself"):
            activation(name)
    for name in shlex.split("nn.Linear Linear Dense Conv2d nn.MaxPool2d LSTM Flatten Dropout2d"):
        with pytest.raises(LabelError, match="a layer of its own"):
            activation(name)


@pytest.mark.parametrize(("kind", "entry", "text"), PLACES, **ids)
def test_the_lists_find_an_entry_by_every_name_that_it_has_elsewhere(kind, entry, text):
    name = text.partition(" (")[0]
    for part in (name, f"{name}()", name.upper()):
        assert entry in lookup.matching(kind, part, CATALOGUES[kind])
    assert lookup.matching(kind, name.rpartition(".")[2], CATALOGUES[kind])


def test_the_lists_find_by_what_people_write_and_say_where_there_is_nothing():
    assert [entry.name for entry in lookup.matching("activation", "F.elu", ACTIVATIONS)] == ["elu"]
    assert lookup.matching("activation", "", ACTIVATIONS) == [*ACTIVATIONS.values()]
    found = lookup.matching("initializer", "HeNormal", INITIALIZERS)
    assert {entry.name for entry in found} == {"he_normal", "keras.he_normal", "jax.he_normal"}
    with pytest.raises(LabelError, match="unknown initializer 'he_norml'; did you mean 'he_normal'"):
        lookup.matching("initializer", "he_norml", INITIALIZERS)
    with pytest.raises(LabelError, match="mixes the units"):
        lookup.matching("activation", "Softmax", ACTIVATIONS)
