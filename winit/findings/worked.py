"""Pages with worked queries: below each SQL block stands its answer, put there by this module.

``python -m winit.findings.worked docs/queries.md results`` answers a page anew.
"""

import io
import re
import sys
from pathlib import Path

from winit.findings.answers import write_markdown
from winit.findings.database import Database
from winit.sweep.files import replacing

_QUERY = re.compile(r"^```sql\n(?P<sql>.*?)^```\n\n(?:(?:\|[^\n]*\n)+\n)?", re.MULTILINE | re.DOTALL)


def queries(page: str) -> list[str]:
    """The SQL blocks of a page."""
    return [match["sql"] for match in _QUERY.finditer(page)]


def answered(page: str, database: Database) -> str:
    """The page with the answers that these results give. Raises WinitError where a query has none."""

    def with_answer(match: re.Match[str]) -> str:
        sink = io.BytesIO()
        write_markdown(database.answer(match["sql"]), sink)
        return f"```sql\n{match['sql']}```\n\n{sink.getvalue().decode()}\n"

    return _QUERY.sub(with_answer, page)


if __name__ == "__main__":
    path, folder = map(Path, sys.argv[1:])
    made = answered(path.read_text(encoding="utf-8"), Database(folder))
    with replacing(path) as file:
        file.write_text(made, encoding="utf-8")
