#!/usr/bin/env bash
# What a numba function computes depends on who called it first.
#
# Expected: fastmath and error_model belong to the function whose decorator names them; one that names neither is compiled by
#     the safe defaults, whoever calls it.
# Happens:  it inherits both from the caller for which it is compiled first, and everybody has that version from then on. After a
#     call from a fastmath function, a helper that looks for NaN says False of NaN, and a Kahan sum has lost its correction; after
#     a call from a function with error_model="numpy", 1 / 0 is inf where it raised. The other way round, the
#     caller with error_model="numpy" gets an exception. The order of calls decides, and with cache=True that of an earlier run.
# Matters:  sums and NaN checks are what diagnostics of networks consist of: the same program gives other numbers with
#     another order of work, or on another worker.
# Documented: among the notes for developers of compilation targets, not where fastmath is explained. What helps:
#     both named in every decorator, fastmath=False, error_model="python".
# Needs:    Python 3.11, with which it was run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet numba==0.68.1 numpy==2.4.6

cat > expected <<'END'
numba 0.68.1: functions with @njit and no option
compiled first for                NaN seen?  Kahan sum right?  1 / 0
Python                                 True              True  ZeroDivisionError
callers with options                  False             False  inf
END

env/bin/python > seen <<'END'
import numba, numpy as np


def functions():
    """Three functions without options, compiled for nobody yet."""

    @numba.njit
    def is_nan(x):
        return x != x

    @numba.njit
    def kahan(values):
        total = lost = np.float32(0)
        for value in values:
            term = value - lost
            above = total + term
            lost = (above - total) - term
            total = above
        return total

    @numba.njit
    def inverse(x):
        return 1 / x

    return is_nan, kahan, inverse


def results(is_nan, kahan, inverse):
    try:
        inverted = inverse(0.0)
    except ZeroDivisionError as error:
        inverted = type(error).__name__
    return is_nan(np.nan), kahan(summands) == summands.sum(dtype=float), inverted


# From 2^24 on float32 has every second integer only: ones that are added one by one are lost.
summands = np.ones(1 + 2**15, np.float32)
summands[0] = 2**24
print(f"numba {numba.__version__}: functions with @njit and no option")
print("compiled first for                NaN seen?  Kahan sum right?  1 / 0")
line = "{:32} {!s:>10}  {!s:>16}  {}"
print(line.format("Python", *results(*functions())))

is_nan, kahan, inverse = functions()
numba.njit(fastmath=True)(lambda x: is_nan(x))(1.0)
numba.njit(fastmath=True)(lambda values: kahan(values))(np.ones(3, np.float32))
numba.njit(error_model="numpy")(lambda x: inverse(x))(1.0)
print(line.format("callers with options", *results(is_nan, kahan, inverse)))
END
cat seen
diff expected seen
