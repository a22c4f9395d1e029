"""What every claim must meet, whatever its notebook says."""

import pytest

from analysis.claims import claim
from analysis.claims.hypotheses import register
from analysis.data.region import Refunds
from analysis.statistics.estimate import Estimate
from simulation import World, draw
from simulation.rehearsal import region_of

CLEAR = Estimate(1.20, 1.10, 1.31, 500, "log")
WEAK = Estimate(1.04, 0.95, 1.14, 500, "log")


@pytest.fixture(scope="module")
def here():
    return region_of(draw(World(), 60, 1))


def test_a_causal_claim_needs_a_hidden_cause_and_no_other_claim_has_one(here):
    with pytest.raises(ValueError, match="H14 needs estimates with a hidden cause"):
        claim.claim("H14", here).conclude({"margin": CLEAR}, checks=[], caveats=[])
    with pytest.raises(ValueError, match="H03 is no causal claim"):
        claim.claim("H03", here).conclude(
            {"asymmetry": Estimate(0.4, 0.3, 0.5, 500)}, checks=[], caveats=[], hidden=[]
        )


@pytest.mark.parametrize(
    ("hidden", "verdict", "blocked"),
    [(CLEAR, "supported", ""), (WEAK, "inconclusive", claim.HIDDEN)],
)
def test_a_causal_verdict_must_survive_a_hidden_cause(here, hidden, verdict, blocked):
    variants = [{"margin": hidden}, {"margin": CLEAR}]
    found = claim.claim("H14", here).conclude(
        {"margin": CLEAR}, checks=[], caveats=[], hidden=variants
    )
    failed = [check.name for check in found.checks if not check.passed]
    assert (found.verdict, "".join(failed)) == (verdict, blocked)
    assert found.checks[0].variants == tuple(variants)


@pytest.mark.parametrize(("share", "verdict"), [(0.02, "supported"), (0.021, "inconclusive")])
def test_refunds_that_stay_in_the_sales_block_claims_about_money(here, share, verdict):
    from dataclasses import replace

    refunds = Refunds(lines=1, amount=10 * share, sales=10.0, share=share)
    found = claim.claim("H14", replace(here, refunds=refunds)).conclude(
        {"margin": CLEAR}, checks=[], caveats=[], hidden=[{"margin": CLEAR}]
    )
    assert found.verdict == verdict
    names = [check.name for check in found.checks]
    assert "refunds whose purchases stay in, share of sales" in names


def test_every_claim_says_how_it_is_read():
    causal = {key for key, each in register().items() if each.causal}
    assert causal == {f"H{n:02d}" for n in (4, 5, 8, 9, 10, 11, 13, 14, 16, 19, 20, 21)}
    about_money = {key for key, each in register().items() if each.money}
    assert about_money == {"H11", "H12", "H14", "H15", "H16", "H19"}
    assert {each.reading for each in register().values()} == {
        "causal", "association", "description"
    }  # fmt: skip


def test_nothing_is_concluded_where_nothing_tells_a_hidden_cause(here):
    found = claim.claim("H14", here).conclude(
        {"margin": CLEAR}, checks=[], caveats=[], hidden=[], hidden_as="net of the others"
    )
    assert found.verdict == "inconclusive"
    said = [(check.name, check.value) for check in found.checks if not check.passed]
    assert said == [("net of the others", "nothing recorded to tell")]
