"""The notes, claim by claim: every statement in them that can be measured, and what came out.

A claim is an entry in a module beside this one; the table, the report, the evidence and the tests over all
claims follow from it.
"""

from winit.findings.claims import dead, deep, scaled, sizes, symmetry
from winit.findings.claims.claim import VERDICTS, Band, Claim, Judgement, Networks, judge

__all__ = ["CLAIMS", "TOPICS", "VERDICTS", "Band", "Claim", "Judgement", "Networks", "judge"]

TOPICS: dict[str, tuple[Claim, ...]] = {
    "Equal weights": symmetry.CLAIMS,
    "Small weights": sizes.SMALL_CLAIMS,
    "Large weights": sizes.LARGE_CLAIMS,
    "The tables": scaled.TABLE_CLAIMS,
    "Xavier": scaled.XAVIER_CLAIMS,
    "He": scaled.HE_CLAIMS,
    "Variants": scaled.VARIANT_CLAIMS,
    "Sigmoid, tanh and ReLU": deep.CLAIMS,
    "Exploding gradients": sizes.EXPLODING_CLAIMS,
    "Born dead": dead.CLAIMS,
}
CLAIMS: tuple[Claim, ...] = tuple(claim for claims in TOPICS.values() for claim in claims)
