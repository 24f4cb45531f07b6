"""The files that the claims are from."""

NOTE_000 = "000_cd2320ffc3ccd411.txt"
NOTE_001 = "001_f335ee0b38c6c592.txt"
NOTE_002 = "002_5d5c081dc4e85c8f.txt"
NOTE_003 = "003_a5b95baadca88ccc.txt"
