"""The catalogue of initializers: law, moments, support and shape of the distribution, of every entry."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from winit.network.activations import activation
from winit.network.draws import TRUNCATED_NORMAL_STD, Draws, Truncated
from winit.network.initializers import INITIALIZERS, Law, Layer, WithBias, initializer
from winit.network.labels import LabelError

LABELS = [entry.label for entry in INITIALIZERS.values()]
N_IN, N_OUT = SHAPE = (400, 600)
CUT = TRUNCATED_NORMAL_STD


def layer(shape=SHAPE, dtype="float32", seed=0, index=1, phi="relu", depth=3):
    draws = Draws(seed)
    inputs = draws.standard("normal", "input", 0, (50, shape[0])).values.astype(dtype)
    return Layer(*shape, index, depth, activation(phi), draws, np.dtype(dtype), inputs)


def parameters(label, **kwargs):
    return initializer(label).parameters(layer(**kwargs))


def weights(label, **kwargs):
    return parameters(label, **kwargs)[0]


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(30, 50), (50, 30), (1, 1)])
def test_parameters_have_the_layers_shape_and_dtype_and_are_finite(label, dtype, shape):
    drawn, bias = parameters(label, shape=shape, dtype=dtype)
    assert drawn.shape == shape
    assert bias is None or bias.shape == (shape[1],)
    for values in (drawn, bias):
        assert values is None or (values.dtype == dtype and np.isfinite(values).all())


@pytest.mark.parametrize("label", LABELS)
def test_weights_hang_on_the_seed_the_layer_and_nothing_else(label):
    first, again, other_seed, other_layer = (
        weights(label, seed=seed, index=index) for seed, index in ((0, 2), (0, 2), (1, 2), (0, 3))
    )
    assert (first == again).all()
    assert ((first == other_seed).all()) == ((first == other_layer).all())


@pytest.mark.parametrize("label", LABELS)
def test_hidden_layers_do_not_hang_on_the_depth_unless_the_entry_says_so(label):
    shallow, deep = (weights(label, index=2, depth=depth) for depth in (2, 9))
    assert (shallow == deep).all() != initializer(label).entry.by_depth


@pytest.mark.parametrize("label", LABELS)
def test_a_float64_network_has_the_weights_of_the_float32_one(label):
    single, double = (weights(label, shape=(40, 60), dtype=dtype) for dtype in ("float32", "float64"))
    assert double == pytest.approx(single, rel=2e-6, abs=1e-7)


# The distribution of every i.i.d. entry, as its framework or paper documents it: written out here as a
# distribution of SciPy, for a layer of 400 inputs and 600 units with relu.
AVG = (N_IN + N_OUT) / 2


def normal(variance, mean=0.0):
    return stats.norm(mean, math.sqrt(variance))


def uniform(bound):
    return stats.uniform(-bound, 2 * bound)


def cut(std, mean=0.0, low=-2.0, high=2.0):
    """A normal of this std before it is cut at so many of these."""
    return stats.truncnorm(low, high, mean, std)


def corrected(variance):
    return cut(math.sqrt(variance) / CUT)


DOCUMENTED = {
    "normal(std=0.01)": normal(1e-4),
    "normal(std=0.5, mean=3)": normal(0.25, 3),
    "uniform(low=-0.05, high=0.05)": uniform(0.05),
    "uniform(low=2, high=5)": stats.uniform(2, 3),
    "truncated_normal(std=0.05)": corrected(0.0025),
    "variance_scaling": normal(1 / N_IN),
    "variance_scaling(scale=3.0, mode=fan_out)": normal(3 / N_OUT),
    "variance_scaling(mode=fan_geo_avg)": normal(1 / math.sqrt(N_IN * N_OUT)),
    "variance_scaling(distribution=truncated_normal)": corrected(1 / N_IN),
    "lecun_normal": normal(1 / N_IN),
    "lecun_uniform": uniform(math.sqrt(3 / N_IN)),
    "glorot_normal": normal(1 / AVG),
    "glorot_uniform": uniform(math.sqrt(3 / AVG)),
    "he_normal": normal(2 / N_IN),
    "he_uniform": uniform(math.sqrt(6 / N_IN)),
    "mean_field(sigma_w=1.5, sigma_b=0.3)": normal(1.5**2 / N_IN),
    "critical": normal(2 / N_IN),
    "kumar": normal(2 / N_IN),
    "random_walk": normal(2 * math.exp(2 * 1.2 / (N_IN - 2.4)) / N_IN),
    "siren": uniform(1 / N_IN),
    "mup": normal(1 / N_IN),
    "keras.lecun_normal": corrected(1 / N_IN),
    "keras.lecun_uniform": uniform(math.sqrt(3 / N_IN)),
    "keras.glorot_normal": corrected(1 / AVG),
    "keras.glorot_uniform": uniform(math.sqrt(3 / AVG)),
    "keras.he_normal": corrected(2 / N_IN),
    "keras.he_uniform": uniform(math.sqrt(6 / N_IN)),
    "keras.random_normal": normal(0.05**2),
    "keras.random_uniform": uniform(0.05),
    "keras.truncated_normal": cut(0.05),
    "keras.truncated_normal(mean=1.0, stddev=0.2)": cut(0.2, 1.0),
    "keras.variance_scaling": corrected(1 / N_IN),
    "keras.variance_scaling(distribution=normal)": corrected(1 / N_IN),
    "keras.variance_scaling(distribution=untruncated_normal, mode=fan_out)": normal(1 / N_OUT),
    "keras.variance_scaling(scale=2, mode=fan_avg, distribution=uniform)": uniform(math.sqrt(6 / AVG)),
    "jax.lecun_normal": corrected(1 / N_IN),
    "jax.lecun_uniform": uniform(math.sqrt(3 / N_IN)),
    "jax.glorot_normal": corrected(1 / AVG),
    "jax.glorot_uniform": uniform(math.sqrt(3 / AVG)),
    "jax.he_normal": corrected(2 / N_IN),
    "jax.he_uniform": uniform(math.sqrt(6 / N_IN)),
    "jax.normal": normal(0.01**2),
    "jax.uniform": stats.uniform(0, 0.01),
    "jax.truncated_normal": cut(0.01),
    "jax.truncated_normal(stddev=0.5, lower=-1.0, upper=3.0)": cut(0.5, low=-1, high=3),
    "jax.truncated_normal(lower=4.0, upper=6.0)": cut(0.01, low=4, high=6),
    "jax.variance_scaling(scale=1.0, mode=fan_in, distribution=truncated_normal)": corrected(1 / N_IN),
    "jax.variance_scaling(scale=1, mode=fan_geo_avg, distribution=normal)": normal(
        1 / math.sqrt(N_IN * N_OUT)
    ),
    "torch.uniform": stats.uniform(0, 1),
    "torch.normal": normal(1),
    "torch.trunc_normal": cut(1.0),
    "torch.trunc_normal(std=0.02)": cut(0.02, low=-100, high=100),
    "torch.trunc_normal(mean=1, std=2, a=0.0, b=2.5)": cut(2, 1, -0.5, 0.75),
    "torch.xavier_normal": normal(1 / AVG),
    "torch.xavier_normal(gain=activation)": normal(2 / AVG),
    "torch.xavier_uniform(gain=3)": uniform(3 * math.sqrt(3 / AVG)),
    "torch.xavier_uniform": uniform(math.sqrt(3 / AVG)),
    "torch.kaiming_normal": normal(2 / N_IN),
    "torch.kaiming_normal(a=0.5)": normal(2 / 1.25 / N_IN),
    "torch.kaiming_normal(mode=fan_out, nonlinearity=tanh)": normal(25 / 9 / N_OUT),
    "torch.kaiming_uniform": uniform(math.sqrt(6 / N_IN)),
    "torch.kaiming_uniform(nonlinearity=selu)": uniform(0.75 * math.sqrt(3 / N_IN)),
    "torch.linear": uniform(1 / math.sqrt(N_IN)),
    "flax.dense": corrected(1 / N_IN),
    "haiku.linear": cut(1 / math.sqrt(N_IN)),
    "sklearn.mlp": uniform(math.sqrt(6 / (N_IN + N_OUT))),
}
CONSTANTS = {
    "zeros": 0, "ones": 1, "constant(value=0.1)": 0.1,
    "keras.zeros": 0, "keras.ones": 1, "keras.constant": 0,
    "jax.zeros": 0, "jax.ones": 1, "jax.constant(value=0.1)": 0.1,
    "torch.zeros": 0, "torch.ones": 1, "torch.constant(val=0.1)": 0.1,
}  # fmt: skip


def test_the_distribution_of_every_iid_entry_is_documented_here():
    iid = {label for label in LABELS if initializer(label).is_iid}
    assert iid <= set(DOCUMENTED) | set(CONSTANTS)
    assert len(iid) > 40


@pytest.mark.parametrize("label", DOCUMENTED)
def test_the_distribution_is_the_documented_one(label):
    expected = DOCUMENTED[label]
    mean, std = expected.mean(), expected.std()
    law, _ = initializer(label).laws(layer())
    assert (law.mean, law.std) == (pytest.approx(mean, abs=1e-9 * std), pytest.approx(std))
    drawn = weights(label).astype(np.float64).ravel()
    assert drawn.mean() == pytest.approx(mean, abs=4 * std / math.sqrt(drawn.size))
    assert drawn.std() == pytest.approx(std, rel=0.006)
    assert stats.kstest(drawn, expected.cdf).pvalue > 1e-3
    low, high = expected.support()
    assert low - 1e-6 * std <= drawn.min()
    assert drawn.max() <= high + 1e-6 * std
    if math.isfinite(high - low):  # all of the support is reached
        assert expected.cdf(drawn.min()) < 1e-4
        assert expected.sf(drawn.max()) < 1e-4


@pytest.mark.parametrize("label", CONSTANTS)
def test_constants_are_exact(label):
    assert (weights(label) == np.float32(CONSTANTS[label])).all()


@pytest.mark.parametrize(
    ("label", "phi", "gain"),
    [
        ("torch.xavier_normal(gain=activation)", "tanh", 5 / 3),
        ("torch.xavier_normal(gain=activation)", "identity", 1),
        ("torch.xavier_normal(gain=activation)", "leaky_relu(negative_slope=0.2)", math.sqrt(2 / 1.04)),
        ("torch.xavier_normal(gain=activation)", "selu", 3 / 4),
    ],
)
def test_torch_gains_follow_the_cells_activation(label, phi, gain):
    law, _ = initializer(label).laws(layer(phi=phi))
    assert law.std == pytest.approx(gain / math.sqrt(AVG))


@pytest.mark.parametrize(
    ("label", "phi", "variance"),
    [
        ("kumar", "tanh", 1),
        ("kumar", "sigmoid", 12.8),  # the paper's 3.6 / √n
        ("critical", "tanh", 1),
        ("critical", "relu", 2),
        ("critical", "identity", 1),
        ("random_walk", "tanh", 1.13**2),
        ("sklearn.mlp", "sigmoid", 2 / 3 * N_IN / (N_IN + N_OUT)),
    ],
)
def test_initializers_that_look_at_the_activation(label, phi, variance):
    law, _ = initializer(label).laws(layer(phi=phi))
    assert N_IN * law.std**2 == pytest.approx(variance)


@pytest.mark.parametrize(
    ("label", "phi"),
    [
        ("torch.xavier_normal(gain=activation)", "gelu"),
        ("kumar", "leaky_relu"),
        ("random_walk", "gelu"),
        ("critical", "sign"),
    ],
)
def test_one_that_has_nothing_for_an_activation_says_so(label, phi):
    with pytest.raises(LabelError, match=phi):
        initializer(label).try_with(activation(phi))


@pytest.mark.parametrize(
    ("label", "bias"),
    [
        ("torch.linear", uniform(1 / math.sqrt(N_IN))),
        ("sklearn.mlp", uniform(math.sqrt(6 / (N_IN + N_OUT)))),
        ("mean_field(sigma_w=1.5, sigma_b=0.3)", normal(0.09)),
    ],
)
def test_biases_of_the_initializers_own(label, bias):
    drawn = np.concatenate([parameters(label, seed=seed)[1] for seed in range(40)])
    assert stats.kstest(drawn, bias.cdf).pvalue > 1e-3
    assert np.corrcoef(drawn[:600], weights(label)[0])[0, 1] == pytest.approx(0, abs=0.2)


@pytest.mark.parametrize("label", ["flax.dense", "haiku.linear"])
def test_layers_without_bias_have_it_at_zero(label):
    assert (parameters(label)[1] == 0).all()


def test_the_biases_are_nobodys_but_those_of_layers_and_mean_field():
    own = {label for label in LABELS if parameters(label)[1] is not None}
    assert own == {
        "torch.linear", "flax.dense", "haiku.linear", "sklearn.mlp", "mean_field(sigma_w=1.5, sigma_b=0.3)",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["orthogonal", "keras.orthogonal", "jax.orthogonal", "torch.orthogonal"])
@pytest.mark.parametrize("shape", [(40, 40), (60, 40), (40, 60)])
def test_an_orthogonal_matrix_is_orthogonal_on_its_shorter_side(name, shape):
    w = weights(f"{name}(2)", shape=shape, dtype="float64")
    gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
    assert gram == pytest.approx(4 * np.eye(min(shape)), abs=1e-12)


@pytest.mark.parametrize("shape", [(40, 40), (60, 40), (40, 60)])
def test_scaled_uniform_orthogonal_keeps_the_mean_square_of_its_inputs(shape):
    w = weights("scaled_uniform_orthogonal", shape=shape, dtype="float64")
    assert shape[0] * (w**2).mean() == pytest.approx(1)


@pytest.mark.parametrize("name", ["identity", "keras.identity", "torch.eye"])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
def test_the_identity_is_one_on_the_diagonal_of_a_rectangle_too(name, shape):
    assert (weights(name, shape=shape) == np.eye(*shape)).all()
    if name != "torch.eye":
        assert (weights(f"{name}(gain=2)", shape=shape) == 2 * np.eye(*shape)).all()


def test_sparse_leaves_every_unit_the_same_share_of_links():
    zeros = weights("sparse(sparsity=0.901)") == 0
    assert (zeros.sum(axis=0) == math.ceil(0.901 * N_IN)).all()
    assert zeros.sum(axis=1).std() > 0


def test_torchs_sparse_leaves_every_input_the_same_share_of_links():
    drawn = weights("torch.sparse(sparsity=0.901)")
    assert ((drawn == 0).sum(axis=1) == math.ceil(0.901 * N_OUT)).all()
    assert drawn[drawn != 0].std() == pytest.approx(0.01, rel=0.02)


def test_martens_gives_every_unit_fifteen_links():
    drawn = weights("martens_sparse")
    assert ((drawn != 0).sum(axis=0) == 15).all()
    assert drawn[drawn != 0].std() == pytest.approx(1, rel=0.03)
    assert ((weights("martens_sparse", shape=(4, 9)) != 0).sum(axis=0) == 4).all()


def test_the_places_of_sparse_links_are_equally_frequent():
    counts = sum(
        (weights("martens_sparse", shape=(30, 20), seed=seed) != 0).sum(axis=1) for seed in range(60)
    )
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize(("shape", "order"), [((3, 5), 8), ((5, 8), 8), ((7, 9), 16)])
def test_zero_init_widens_by_a_hadamard_matrix(shape, order):
    w = weights("zero_init", shape=shape, dtype="float64")
    assert np.abs(w) == pytest.approx(1 / math.sqrt(order))
    whole = weights("zero_init", shape=(order - 1, order), dtype="float64")
    assert whole @ whole.T == pytest.approx(np.eye(order - 1))


@pytest.mark.parametrize("shape", [(4, 4), (5, 3)])
def test_zero_init_is_the_identity_where_it_does_not_widen(shape):
    assert (weights("zero_init", shape=shape) == np.eye(*shape)).all()


@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_lsuv_makes_the_variance_of_the_pre_activation_one(gain):
    where = layer(dtype="float64", shape=(60, 40))
    where.inputs[:] = where.inputs * 3 + 1
    w, _ = initializer(f"lsuv(gain={gain}, tolerance=0.0)").parameters(where)
    assert (where.inputs @ w).std() == pytest.approx(gain)
    gram = w.T @ w
    assert gram == pytest.approx(gram[0, 0] * np.eye(40), abs=1e-9)


def test_lsuv_leaves_a_variance_within_the_tolerance():
    where = layer(shape=(60, 60))
    assert (
        initializer("lsuv(tolerance=0.5)").parameters(where)[0] == weights("orthogonal", shape=(60, 60))
    ).all()


def test_lsuv_leaves_weights_that_no_division_helps():
    where = layer(shape=(20, 20))
    where.inputs[:] = 0
    assert np.isfinite(initializer("lsuv").parameters(where)[0]).all()


def test_siren_has_another_law_for_the_first_layer():
    hidden, _ = initializer("siren(omega=15)").laws(layer(index=2))
    assert hidden == Law("uniform", math.sqrt(6 / N_IN) / 15 / math.sqrt(3))


def test_mup_has_another_law_for_the_readout():
    readout, _ = initializer("mup").laws(layer(index=4))
    assert readout.std == pytest.approx(1 / N_IN)


def test_the_doubled_weights_of_lecun_are_not_those_of_he():
    doubled, lecun, he = (
        weights(label) for label in ("variance_scaling(scale=4.0)", "lecun_normal", "he_normal")
    )
    assert doubled == pytest.approx(2 * lecun)
    assert he == pytest.approx(np.sqrt(2) * lecun, rel=1e-6)


def test_the_readouts_of_all_depths_are_one_draw():
    made = (weights("he_normal", shape=(20, 5), index=depth + 1, depth=depth) for depth in (2, 9))
    assert np.equal(*made).all()


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("normal(std=-1)", "std is -1"),
        ("uniform(low=1, high=0)", "high is 0"),
        ("variance_scaling(scale=-1)", "scale is -1"),
        ("keras.variance_scaling(scale=0)", "scale is 0"),
        ("keras.variance_scaling(mode=fan_geo_avg)", "allowed: fan_in, fan_out, fan_avg"),
        ("sparse(sparsity=1.5)", "sparsity is 1.5"),
        ("martens_sparse(links=0)", "links is 0"),
        ("torch.sparse(sparsity=-1)", "sparsity is -1"),
        ("torch.trunc_normal(a=3)", "wrong way round"),
        ("torch.trunc_normal(std=0)", "std is 0"),
        ("torch.trunc_normal(std=0.01, a=0.5, b=1.0)", "nothing is left"),
        ("lsuv(gain=-1)", "gain is -1"),
        ("torch.xavier_normal(gain=word)", "allowed: activation"),
        ("siren(omega=0)", "omega is 0"),
        ("lsuv(tolerance=-1)", "tolerance is -1"),
        ("torch.kaiming_normal(nonlinearity=gelu)", "allowed: linear, sigmoid, tanh"),
    ],
)
def test_bad_arguments_are_refused_by_name(label, words):
    with pytest.raises(LabelError, match=words):
        initializer(label)


@pytest.mark.parametrize(
    ("alias", "label"),
    [
        ("xavier_uniform", "glorot_uniform"),
        ("kaiming_normal", "he_normal"),
        ("jax.xavier_normal", "jax.glorot_normal"),
        ("jax.kaiming_uniform", "jax.he_uniform"),
    ],
)
def test_an_alias_has_the_label_of_what_it_means(alias, label):
    assert initializer(alias).label == label


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cauchy", 1.0), "'cauchy' is not a law"),
        (("normal", math.nan), "finite"),
        (("normal", -1.0), "at least 0"),
        (("orthogonal", 1.0), "'orthogonal' is not a law"),
        (("constant", 1.0), "a constant has std 0"),
        (("normal", 1.0, math.inf), "finite"),
    ],
)
def test_a_law_that_is_none_is_refused(arguments, words):
    with pytest.raises(LabelError, match=words):
        Law(*arguments)


def test_a_truncated_draw_has_mean_zero_and_variance_one():
    for bounds in itertools.combinations((-3.0, -1.0, 0.5, 4.0), 2):
        drawn = Draws(0).standard(Truncated(*bounds), "weights", 1, (300, 300)).values
        assert drawn.mean() == pytest.approx(0, abs=0.01)
        assert drawn.std() == pytest.approx(1, abs=0.01)


def test_an_initializer_may_give_weights_and_bias_as_arrays():
    where = layer(shape=(3, 2))
    made = WithBias(np.ones((3, 2)), np.arange(2))
    assert where.draw(made.weights).dtype == np.float32
    assert (where.draw(made.bias, "bias") == [0, 1]).all()
