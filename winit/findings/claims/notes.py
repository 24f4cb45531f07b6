"""The files that the claims are from, and a paper."""

NOTE_000 = "000_cd2320ffc3ccd411.txt"
NOTE_001 = "001_f335ee0b38c6c592.txt"
NOTE_002 = "002_5d5c081dc4e85c8f.txt"
NOTE_003 = "003_a5b95baadca88ccc.txt"
LU_2018 = "Lu et al. 2018"
"""Lu, Su, Karniadakis: Collapse of deep and narrow neural nets, arXiv:1808.04947."""


def short(note: str) -> str:
    """How a table names it: of a file its number."""
    return note.partition("_")[0]
