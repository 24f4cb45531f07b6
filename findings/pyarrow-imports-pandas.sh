#!/usr/bin/env bash
# Where pandas is installed, pyarrow imports all of it before its first array, though nobody asked for a frame.
#
# Expected: pandas is optional to pyarrow, and loaded when a frame is made or given. A list, an array of NumPy, a scalar or a
#     Parquet file has nothing to do with it.
# Happens:  any of them loads pandas, some three hundred of its modules, whatever the argument: pyarrow looks whether it was given a
#     Series by asking pandas itself. To open a Parquet file loads the datasets module, which asks as well. A schema does not ask.
#     Where the import fails at that moment pyarrow goes on without, and to_pandas() still works later.
# Matters:  a command line tool on pyarrow starts twice as slowly in an environment with pandas as in one without, by no import
#     that its own code shows; so does every worker process.
# Needs:    Python 3.11, with which it was run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6

cat > expected <<'EXPECTED'
pyarrow 26.0.1: is pandas loaded?
import pyarrow, pyarrow.parquet          no
pa.schema([("a", pa.float64())])         no
pa.array([1.0])                          yes
pa.array(np.ones(1))                     yes
pa.scalar(1)                             yes
pq.read_table("a.parquet")               yes
pa.array([1.0]), hidden meanwhile        no
the same, and to_pandas() later          yes
EXPECTED

cat > look.py <<'LOOK'
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


what = sys.argv[1]
if "hidden" in what or "later" in what:
    sys.meta_path.insert(0, Hidden())
    array = pa.array([1.0])
    sys.meta_path.pop(0)
    if "later" in what:
        assert array.to_pandas().tolist() == [1.0]
elif what == "write":
    pq.write_table(pa.table({"a": [1.0]}), "a.parquet")
elif not what.startswith("import"):
    exec(what)
if what != "write":
    print(f"{what:40} {'yes' if 'pandas' in sys.modules else 'no'}")
LOOK
env/bin/python look.py write
env/bin/python -c 'import pyarrow; print(f"pyarrow {pyarrow.__version__}: is pandas loaded?")' > seen
tail -n +2 expected | sed 's/ *\(yes\|no\)$//' | while read -r what; do
    env/bin/python look.py "$what" >> seen
done
cat seen
diff expected seen
