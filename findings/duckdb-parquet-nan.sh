#!/usr/bin/env bash
# In a Parquet file by pyarrow, DuckDB does not find the runs that diverged.
#
# Expected: `WHERE isnan(loss)` finds the NaNs, in a file as in memory; and as NaN is the greatest number in DuckDB,
#     `loss > 10` is true of it and `loss <= 10` is not.
# Happens:  in a file by pyarrow, `isnan(loss)` is true of no row, `loss > 10` neither, `loss <= 10` is true of all rows, NaN
#     too, and max(loss) is the largest number that is not NaN. pyarrow leaves NaN out of a column's min and max, as the
#     format asks, and DuckDB takes these bounds for the whole truth: it answers from them without a look at the rows. As soon
#     as the same query asks for something more, its answers are right. A file by DuckDB itself has no bounds where there is
#     a NaN, and is read correctly.
# Matters:  a sweep's failures are what one looks for with just these conditions, and they seem to be none.
# Since:    2.0, as far as isnan goes; 1.4.0 and 1.5.6 compare wrongly, but find isnan(loss). What helps: the reader's option
#     can_have_nan, which is off unless asked for, or null in the place of NaN, or a file without statistics.
# Needs:    Python 3.11, with which it was run.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv env
env/bin/pip install --quiet duckdb==2.0.1 pyarrow==26.0.1

cat > expected <<'END'
duckdb 2.0.1, pyarrow 26.0.1: three runs, losses 0.5, 1.5 and NaN
                          isnan  > 10  <= 10   max
table in memory               1     1      2   nan
file by DuckDB                1     1      2   nan
file by pyarrow               0     0      3   1.5
  with can_have_nan           1     1      2   nan
file by pyarrow, max(loss) asked together with a count of NaN: (nan, 1)
END

env/bin/python > seen <<'END'
import duckdb, pyarrow, pyarrow.parquet

runs = pyarrow.table({"loss": [0.5, 1.5, float("nan")]})
pyarrow.parquet.write_table(runs, "pyarrow.parquet")
duckdb.sql("COPY runs TO 'duckdb.parquet'")

print(f"duckdb {duckdb.__version__}, pyarrow {pyarrow.__version__}: three runs, losses 0.5, 1.5 and NaN")
print(f"{'':24}  isnan  > 10  <= 10   max")
for name, source in {
    "table in memory": "runs",
    "file by DuckDB": "'duckdb.parquet'",
    "file by pyarrow": "'pyarrow.parquet'",
    "  with can_have_nan": "read_parquet('pyarrow.parquet', can_have_nan = true)",
}.items():
    conditions = ["isnan(loss)", "loss > 10", "loss <= 10"]
    counts = [duckdb.sql(f"SELECT count(*) FROM {source} WHERE {each}").fetchall()[0][0] for each in conditions]
    largest = duckdb.sql(f"SELECT max(loss) FROM {source}").fetchall()[0][0]
    print("{:24}  {:5}  {:4}  {:5}  {:4}".format(name, *counts, largest))
both = duckdb.sql("SELECT max(loss), count(*) FILTER (isnan(loss)) FROM 'pyarrow.parquet'").fetchall()[0]
print(f"file by pyarrow, max(loss) asked together with a count of NaN: {both}")
END
cat seen
diff expected seen
