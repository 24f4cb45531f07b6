#!/usr/bin/env bash
# Two seeds that differ by 2**32 are one seed, for PyTorch on the CPU and for JAX.
#
# Expected: what takes a seed of 64 bits uses it; what doesn't, refuses it. torch.manual_seed names -2**63 to 2**64 - 1
#     as its range, jax.random.key "a 64- or 32-bit integer".
# Happens:  both drop all but the lower 32 bits, without a word, while torch.initial_seed() still shows the whole number. JAX
#     uses the upper half with jax_enable_x64 alone, so that the switch changes the network too. NumPy's generators use all bits.
# Matters:  sweeps seed their cells with 64 bits of a hash, so that seeds never meet. With 32 of them left, two of
#     100,000 cells are the same network more often than not. Seeds made as (cell << 32) + repeat are all
#     the same but for the repeat.
# Documented: no.
# Needs:    Python 3.11, with which it was run; any build of PyTorch, on the CPU.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6

cat > expected <<'END'
the first weights of networks from seeds that differ by 2**32
torch 2.13.0                 +0.2975  -0.2548  -0.1119  equal: True
jax 0.10.2                   -0.1227  +0.0675  -0.1082  equal: True
jax 0.10.2, jax_enable_x64   -0.1227  +0.0675  -0.1082  equal: False
numpy 2.4.6                  +0.3456  +0.8216  +0.3304  equal: False
torch.initial_seed() says 4294967297
END

JAX_PLATFORMS=cpu env/bin/python > seen <<'END'
import jax, numpy as np, torch


def by_torch(seed):
    torch.manual_seed(seed)
    return torch.nn.Linear(3, 1).weight[0].tolist()


def by_jax(seed):
    return jax.nn.initializers.lecun_uniform()(jax.random.key(seed), (3, 1), "float32")[:, 0].tolist()


def by_numpy(seed):
    return np.random.default_rng(seed).standard_normal(3).tolist()


def show(name, draw):
    first, second = draw(1), draw(1 + 2**32)
    print(f"{name:28} " + "  ".join(f"{each:+.4f}" for each in first), f" equal: {first == second}")


print("the first weights of networks from seeds that differ by 2**32")
show("torch " + torch.__version__.split("+")[0], by_torch)
seen = torch.initial_seed()
show(f"jax {jax.__version__}", by_jax)
with jax.enable_x64(True):
    show(f"jax {jax.__version__}, jax_enable_x64", by_jax)
show(f"numpy {np.__version__}", by_numpy)
print(f"torch.initial_seed() says {seen}")
END
cat seen
diff expected seen
