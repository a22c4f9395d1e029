"""H25 Fuel, price and location: its notebook in simulated regions."""

from simulation import World, draw, rehearsal


def found(**parameters):
    return rehearsal.run("H25", rehearsal.region_of(draw(World(**parameters), 3_000, 2)))


def test_the_planted_order_is_found():
    finding, known = found()
    assert known["found"].table["share"].is_monotonic_decreasing
    for key, true in {"fuel_over_price": 0.264, "price_over_location": 0.181}.items():
        assert finding.estimates[key].ci_low < true < finding.estimates[key].ci_high


def test_a_halo_on_fuel_and_loyalty_is_not_taken_for_the_order():
    finding, known = found(choice=(0.4, 0.4, 0.4), halo_on_loyalty=0.6)
    assert known["pairs"]["fuel_over_price"].ci_low > 0.1  # what a first look finds
    assert finding.verdict == "inconclusive"


def test_ratings_that_explain_nothing_have_no_order():
    finding, _ = found(choice=(0.0, 0.0, 0.0))
    failed = [each.name for each in finding.checks if not each.passed]
    assert "variance of loyalty that the ratings explain" in failed
    assert finding.verdict == "inconclusive"
