"""H23 Very satisfied customers: its notebook in simulated regions."""

from simulation import World, draw, rehearsal


def found(world, seed=1):
    return rehearsal.run("H23", rehearsal.region_of(draw(world, 3_000, seed)))


def test_the_planted_step_lies_in_the_interval():
    """Loyalty is a line in the opinion, and points of the scale above 8 stand for more of it."""
    finding, _ = found(World())
    assert finding.estimates["convexity"].ci_low < 0.4 < finding.estimates["convexity"].ci_high


def test_a_style_of_answering_alone_is_not_taken_for_a_step():
    finding, known = found(World(loyalty_slope=0.0, acquiescence=0.5))
    assert known["steps"]["difference"].estimate > 0.05  # what a first look finds
    assert finding.verdict in ("inconclusive", "too small to matter", "contradicted")


def test_without_enough_customers_on_each_side_it_is_not_testable():
    tables = draw(World(), 600, 1)
    ratings = ["satisfaction_1", "satisfaction_2", "satisfaction_3"]
    tables["survey"][ratings] = tables["survey"][ratings].clip(upper=7)
    finding, _ = rehearsal.run("H23", rehearsal.region_of(tables))
    assert finding.verdict == "not testable"
    assert "Only 0 customers have a satisfaction above 8" in finding.reason
