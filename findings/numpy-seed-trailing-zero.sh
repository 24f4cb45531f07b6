#!/usr/bin/env bash
# numpy.random.default_rng([seed, 0]) is default_rng(seed): layer 0 has the random numbers of the data.
#
# Expected: the seeds 5, [5], [5, 0] and [5, 0, 0] are different, but for the first two perhaps.
# Happens:  all four give the same stream: what is short is filled up with zeros. 2**32 and [0, 1] are the same too, as large
#     numbers are cut into words of 32 bits. Where weights of a layer come from default_rng([seed, layer]) and the input from
#     default_rng(seed), the first row of layer 0 IS the input: one unit's pre-activation is the square of the input's norm.
# Matters:  seeds of several numbers are the recommended way to give each worker, cell or layer a stream, and
#     counting from 0 is what everybody does.
# Documented: not this. The page on parallel generation puts the id before the seed, for the sake of spawning, and says of the
#     other order that it works. [layer, seed], SeedSequence(5).spawn(n) and spawn_key=(0,) are safe.
# Needs:    Python 3.11, with which it was run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet numpy==2.4.6

cat > expected <<'END'
numpy 2.4.6: the first number of each stream
5             0.80500
[5]           0.80500
[5, 0]        0.80500
[5, 0, 0]     0.80500
[5, 1]        0.77420
4294967296    0.88974
[0, 1]        0.88974
spawn(1)[0]   0.40312
pre-activations of a layer of 784 units, N(0, 1/784) weights from [5, layer], input from 5
layer 0: unit 0    27.3, std of the others  1.0
layer 1: unit 0     0.8, std of the others  1.0
END

env/bin/python > seen <<'END'
import numpy as np

print(f"numpy {np.__version__}: the first number of each stream")
for seed in 5, [5], [5, 0], [5, 0, 0], [5, 1], 2**32, [0, 1]:
    print(f"{str(seed):12}  {np.random.default_rng(seed).random():.5f}")
print(f"spawn(1)[0]   {np.random.default_rng(5).spawn(1)[0].random():.5f}")

x = np.random.default_rng(5).standard_normal(784)
print("pre-activations of a layer of 784 units, N(0, 1/784) weights from [5, layer], input from 5")
for layer in 0, 1:
    weights = np.random.default_rng([5, layer]).standard_normal((784, 784)) / np.sqrt(784)
    z = weights @ x
    print(f"layer {layer}: unit 0  {z[0]:6.1f}, std of the others  {z[1:].std():.1f}")
END
cat seen
diff expected seen
