#!/usr/bin/env bash
# Once bottleneck is installed, pandas' std of a float32 column is wrong: 0.35 for a column of ones.
#
# Expected: an accelerator that no line of code imports may change the last digits. pandas' own documentation recommends it,
#     and `pip install "pandas[performance]"` brings it along.
# Happens:  std and var of float32 go to bottleneck, which adds 32-bit numbers one by one. Its mean stops growing at 2^24
#     additions, and every deviation is taken from that wrong mean. mean and sum themselves are right: pandas no longer hands these on.
#     From some ten million rows on the error is of the order of a per cent, and beyond 2^24 it can be anything.
# Matters:  per-unit statistics of networks are float32 columns of just this length, and std is the first thing asked of
#     them. The notebook of a colleague, with the same pandas and the same file, prints something else.
# Documented: as open issues of bottleneck; pandas opted out for the mean, not for the spread. What helps:
#     pandas.set_option("compute.use_bottleneck", False), or float64.
# Needs:    Python 3.11, with which it was run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet pandas==3.1.1 numpy==2.4.6

cat > expected <<'END'
pandas 3.1.1 alone, float32
N(1, 1), 10^7 rows     mean 1.000  std 1.000
ones, 2^25 rows        mean 1.000  std 0.000
pandas 3.1.1 beside bottleneck 1.6.0, float32
N(1, 1), 10^7 rows     mean 1.000  std 0.992
ones, 2^25 rows        mean 1.000  std 0.354
END

cat > look.py <<'END'
import sys
from importlib.metadata import version

import numpy as np, pandas as pd

beside = f"beside bottleneck {version('bottleneck')}" if "bottleneck" in sys.argv else "alone"
print(f"pandas {pd.__version__} {beside}, float32")
for name, values in {
    "N(1, 1), 10^7 rows": 1 + np.random.default_rng(0).standard_normal(10**7, dtype=np.float32),
    "ones, 2^25 rows": np.ones(2**25, np.float32),
}.items():
    column = pd.Series(values)
    print(f"{name:22} mean {column.mean():.3f}  std {column.std():.3f}")
END
env/bin/python look.py > seen
env/bin/pip install --quiet bottleneck==1.6.0
env/bin/python look.py bottleneck >> seen
cat seen
diff expected seen
