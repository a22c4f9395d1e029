"""H24 Drivers who live from the road: its notebook in simulated regions."""

import pandas as pd
import pytest
from scipy.special import logit

from simulation import World, draw, rehearsal


def found(world=None, tables=None, seed=1):
    tables = tables or draw(world or World(), 3_000, seed)
    return rehearsal.run("H24", rehearsal.region_of(tables))


def test_drivers_are_found_as_planted():
    parts = found()[0].estimates
    for key, true in {"litres": 261, "visits": 3.46, "evening": 0.674}.items():
        assert parts[key].ci_low < true < parts[key].ci_high


def test_drivers_who_come_half_as_often_contradict_the_claim():
    assert found(World(driver_pace=-0.7))[0].verdict == "contradicted"


def test_months_in_which_a_driver_was_not_there_do_not_count():
    _, known = found(World(late_newcomers=0.8))
    people = known["people"]
    assert people["year"].mean() < 0.9 * people["litres"].mean()
    assert people["litres"].mean() > 235


def test_litres_of_a_block_are_those_of_its_days():
    """A driver who buys 20 litres every other day: 304 a month, at 18:00 one time in two."""
    tables = draw(World(), 600, 1)
    lines, people = tables["transactions"], tables["customers"]
    one = people.loc[people["segment"] == "van", "customer_id"].iloc[0]
    days = pd.date_range(rehearsal.END, periods=182, freq="-2D").astype("datetime64[us]")
    own = lines.iloc[:182].assign(customer_id=one, product="fuel", quantity=20.0)
    own["bought_at"] = [day + pd.Timedelta(hours=18 if i % 2 else 9) for i, day in enumerate(days)]
    tables["transactions"] = pd.concat([lines[lines["customer_id"] != one], own])
    _, known = found(tables=tables)
    row = known["people"].loc[one]
    assert row["litres"] == pytest.approx(14 * 20 * 365.25 / 12 / 28)
    assert row["visits"] == pytest.approx(3.5)
    assert row["evening"] == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "verdict"), [(9, "not testable"), (25, "inconclusive")])
def test_few_drivers_are_either_too_few_to_test_or_fail_the_check(n, verdict):
    tables = draw(World(), 3_000, 1)
    people = tables["customers"]
    extra = people.index[people["segment"].isin(["ride_hailing", "van"])][n:]
    people.loc[extra, "segment"] = "private"
    finding, _ = found(tables=tables)
    assert finding.verdict == verdict
    if n == 25:
        assert not next(each.passed for each in finding.checks if each.name == "drivers")


def test_an_interval_of_a_share_ends_within_0_and_1():
    """All but one of 40 drivers buy in the evening only: the claim holds, up to 100%."""
    tables = draw(World(), 3_000, 1)
    lines, people = tables["transactions"], tables["customers"]
    drivers = people.loc[people["segment"].isin(["ride_hailing", "van"]), "customer_id"]
    days = lines["bought_at"].dt.normalize()
    hours = lines["customer_id"].isin(drivers[1:]).map({True: 20, False: 9})
    late = lines.assign(bought_at=days + pd.to_timedelta(hours, unit="h"))
    share = found(tables={**tables, "transactions": late})[0].estimates["evening"]
    n = share.n_obs
    assert share.estimate == pytest.approx(1 - 1 / n)
    assert 0.5 < share.ci_low < share.estimate < share.ci_high < 1
    odds = 1.96 * (1 / n) / (share.estimate * (1 - share.estimate))  # the error of a mean: 1 / n
    assert logit(share.estimate) - logit(share.ci_low) == pytest.approx(odds, rel=0.05)


def test_days_without_a_time_tell_no_evening():
    tables = draw(World(), 3_000, 1)
    lines = tables["transactions"]
    dates = lines.assign(bought_at=lines["bought_at"].dt.normalize())
    finding, _ = found(tables={**tables, "transactions": dates})
    assert finding.verdict == "not testable"
    assert finding.reason == "100% of the drivers' purchases have a day and no time."
