#!/usr/bin/env bash
# The histogram of bfloat16 weights in JAX stops counting at 256.
#
# Expected: jax.numpy.histogram counts; numpy.histogram, whose place it takes, returns integers. In half precision the bins'
#     edges might be a little off.
# Happens:  the counts have the dtype of the data and grow by one at a time, so no bin has more than the last integer from
#     which one more can be told: 256 in bfloat16, 2048 in float16, 16777216 in float32. Of a million weights less than one
#     in two hundred is counted, and with density=True the bell is a box: all bins but the outermost have the same height.
# Matters:  models are kept in bfloat16, and a histogram of weights or activations by layer is how initialization is looked
#     at. A box looks like a uniform law, not like an error.
# Documented: no; the page shows counts that are floats, but no limit.
# Needs:    Python 3.11, with which it was run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6

cat > expected <<'END'
jax 0.10.2, numpy 2.4.6: 2^20 standard normal weights, 20 bins from -4 to 4
                  counted  fullest bin  density at 0 and at 2.2
jax    float32     100.0%       162705  0.388  0.036
jax    float16       3.2%         2048  0.151  0.151
jax    bfloat16      0.5%          256  0.129  0.129
numpy  bfloat16    100.0%       162474  0.387  0.037
END

JAX_PLATFORMS=cpu env/bin/python > seen <<'END'
import jax, jax.numpy as jnp, numpy as np

weights = np.random.default_rng(0).standard_normal(2**20, dtype=np.float32)
bins = {"bins": 20, "range": (-4, 4)}

print(f"jax {jax.__version__}, numpy {np.__version__}: 2^20 standard normal weights, 20 bins from -4 to 4")
print(f"{'':16}{'counted':>9}{'fullest bin':>13}  density at 0 and at 2.2")
for name, library, dtype in [("jax", jnp, "float32"), ("jax", jnp, "float16"), ("jax", jnp, "bfloat16"), ("numpy", np, "bfloat16")]:
    array = jnp.asarray(weights, dtype)
    if library is np:
        array = np.asarray(array, np.float32)
    counts = np.asarray(library.histogram(array, **bins)[0], float)
    density = np.asarray(library.histogram(array, density=True, **bins)[0], float)
    print(f"{name:5}  {dtype:9}{counts.sum() / 2**20:9.1%}{counts.max():13.0f}  {density[10]:.3f}  {density[15]:.3f}")
END
cat seen
diff expected seen
