"""Early warning: planted falls of a volume, lists worked out by hand, what is known when."""

import codecs
import functools

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from analysis.claims import findings
from analysis.cohorts import weekly_activity
from analysis.cohorts.alarms import call_list, early_warning
from analysis.cohorts.weekly_activity import Weeks
from simulation.drawing.tables import draw
from simulation.rehearsal import region_of
from simulation.world import World

START = pd.Timestamp("2024-07-02")
LAST_DAY = 6
properties = settings(max_examples=8)


@functools.cache
def example():
    tables = draw(World(), 600, 5)
    return tables, *told(tables)


def told(tables):
    """Return a region's purchases by week, their changes and the risks."""
    found = weekly_activity.read(region_of(tables))
    changed = weekly_activity.changes(found)
    return found, changed, call_list.scored(weekly_activity.moments(found, changed))


def steady(n_weeks=104, n=40, day=LAST_DAY):
    """Return customers who buy ten litres on one day of every week; c000 is one of forty."""
    bought = np.tile(np.arange(7) == day, (n, n_weeks))
    people = pd.DataFrame({"customer_id": [f"c{i:03}" for i in range(n)]})
    people = people.assign(segment="van", area="urban", joined=-10)
    return Weeks(people, bought, np.full((n, n_weeks), 10.0, np.float32))


def leave(found, last, row=0):
    """Let a customer buy nothing after a week."""
    found.bought[row, 7 * last + 7 :] = False
    found.volume[row, last + 1 :] = 0


def leads(found, line):
    return early_warning.leads(found, weekly_activity.changes(found), line).to_dict()


# --- the line


def test_the_line_has_a_tenth_of_the_regulars_below_it_who_did_not_leave():
    calm = pd.DataFrame({"fall": 8 - np.arange(11.0), "watched": True, "lapse_later": 0.0})
    others = calm.assign(fall=50.0)
    left, away = others.assign(lapse_later=1.0), others.assign(watched=False)
    unknown = others.assign(lapse_later=np.nan)
    rows = pd.concat([calm, left, away, unknown])
    assert early_warning.line(rows) == pytest.approx(-7)
    assert early_warning.line(rows, 0.3) == pytest.approx(-5)


def test_one_in_ten_calm_regulars_of_a_region_is_below_the_line():
    _, _, _, rows = example()
    calm = rows[rows["watched"] & (rows["lapse_later"] == 0)]
    below = (calm["change"] < early_warning.line(rows)).sum()
    assert below == pytest.approx(0.1 * len(calm), abs=1)
    assert calm["regular"].eq(1).all()
    assert len(calm) > 500


# --- how long before the end


@pytest.mark.parametrize("line, alarm_weeks", [(-0.1, 5), (-0.2, 4), (-0.4, 3), (-0.8, 0)])
def test_a_volume_that_halves_five_weeks_before_the_last_purchase(line, alarm_weeks):
    """In the weeks after it halved its log falls by 0.13, 0.29, 0.47, 0.69 and 0.67."""
    found = steady()
    found.volume[0, 75:81] = 5
    leave(found, 80)
    assert leads(found, line) == {"c000": 7 * alarm_weeks}


@pytest.mark.parametrize("day", [0, 3, 6])
def test_a_lead_ends_on_the_day_of_the_last_purchase(day):
    """The alarm begins with week 76; the last purchase is on this day of week 80."""
    found = steady(day=day)
    found.volume[0, 75:81] = 5
    leave(found, 80)
    assert leads(found, -0.1) == {"c000": 7 * 4 + day + 1}


def test_an_alarm_that_was_called_off_does_not_count():
    found = steady()
    found.volume[0, 66:74] = 2
    found.volume[0, 80] = 1  # not known at the beginning of its week
    leave(found, 80)
    assert leads(found, -0.3) == {"c000": 0}


def test_a_long_fall_counts_for_half_a_year():
    found = steady()
    found.volume[0, 44:81] = 10 * 0.9 ** np.arange(37)
    leave(found, 80)
    assert leads(found, -0.2) == {"c000": 26 * 7}


def test_lost_is_a_quarter_without_a_purchase_before_the_end():
    found = steady()
    for row, last in enumerate([51, 52, 90, 91]):
        leave(found, last, row)
    assert leads(found, -9) == {"c001": 0, "c002": 0}


FADES = slice(7 * 64, 7 * 75)
"""Without the visits of these weeks he is a regular as of week 78, and none as of 79 and 80."""


@pytest.mark.parametrize("line, alarm_weeks", [(-0.1, 5), (-0.4, 3), (-0.5, 0), (-0.8, 0)])
def test_who_fades_until_he_is_no_regular_keeps_the_alarm_that_he_had(line, alarm_weeks):
    """As above, but the alarm of weeks 79 and 80 is that of week 78, when the log was -0.47."""
    found = steady()
    found.volume[0, 75:81] = 5
    found.bought[0, FADES] = False
    leave(found, 80)
    changed = weekly_activity.changes(found)[0]
    assert np.isnan(changed[78:81]).tolist() == [False, True, True]
    assert changed[78] == pytest.approx(-0.47, abs=0.005)
    assert leads(found, line) == {"c000": 7 * alarm_weeks}


def test_an_alarm_goes_on_over_weeks_in_which_he_was_no_regular():
    """He is none as of weeks 60 and 61 only; the fall begins before and goes on after them."""
    found = steady()
    found.volume[0, 55:] = 10 * 0.8 ** np.arange(49)
    leave(found, 66)
    changed = weekly_activity.changes(found)
    changed[0, 60:62] = np.nan
    assert changed[0, 57] > -0.1 > changed[0, [58, 59, 62, 66]].max()
    assert early_warning.leads(found, changed, -0.1).to_dict() == {"c000": 7 * 9}


@pytest.mark.parametrize("first, expected", [(40, {}), (41, {"c000": 0})])
def test_a_lead_needs_a_regular_in_the_half_year_before(first, expected):
    """As of week 55, the first of the 26, ten visits lie in weeks 31 to 50 or nine."""
    found = steady()
    found.bought[0, 7 * first : 7 * 80] = False
    leave(found, 80)
    assert leads(found, -0.5) == expected


def test_only_regulars_have_a_lead():
    found = steady()
    leave(found, 80, 0)
    leave(found, 80, 1)
    found.bought[1, : 7 * 70] = False
    assert leads(found, -9) == {"c000": 0}


def test_leads_of_a_region_are_those_of_a_plain_loop():
    _, found, changed, rows = example()
    line, visits = early_warning.line(rows), found.visits
    expected = {}
    for i, name in enumerate(found.people["customer_id"]):
        last = np.flatnonzero(visits[i]).max(initial=-1)
        if not 52 <= last <= 90 or np.isnan(changed[i, last - 25 : last + 1]).all():
            continue
        since, is_on = 0, False
        for change in changed[i, last - 25 : last + 1]:
            is_on = is_on if np.isnan(change) else change < line
            since = since + 1 if is_on else 0
        expected[name] = since
    found_leads = early_warning.leads(found, changed, line)
    assert np.ceil(found_leads / 7).to_dict() == expected
    assert 0 < found_leads.gt(0).mean() < 1


def test_a_region_shorter_than_a_year_has_no_leads():
    found = steady(48)
    leave(found, 30)
    assert leads(found, -9) == {}


def test_false_alarms_by_hand():
    """A week without volume is an alarm of four weeks; c003 is no regular from its third on."""
    found = steady()
    found.volume[[0, 1, 3], 60] = 0
    leave(found, 80, 1)
    found.bought[2, : 7 * 91] = False
    found.bought[3, 7 * 48 : 7 * 91] = False
    told = early_warning.false_alarms(found, weekly_activity.changes(found), -0.2)
    assert told["any_week"] == pytest.approx((4 + 31) / (38 * 52))
    assert told["ever"] == pytest.approx(2 / 38)
    assert told["weeks"] == 52


def test_false_alarms_of_a_short_region_and_of_nobody():
    found = steady(60)
    assert early_warning.false_alarms(found, weekly_activity.changes(found), -0.2).tolist() == [
        0,
        0,
        24,
        40,
    ]
    found.bought[:, 7 * 47 :] = False
    assert (
        early_warning.false_alarms(found, weekly_activity.changes(found), -0.2)[
            ["any_week", "ever"]
        ]
        .isna()
        .all()
    )


def test_the_alarm_curve_has_a_line_for_each_share_of_false_alarms():
    _, found, changed, rows = example()
    curve = early_warning.curve(found, changed, rows, 28)
    assert curve.index.tolist() == [0.02, 0.05, 0.1, 0.2, 0.3]
    for share, row in curve.iterrows():
        line = early_warning.line(rows, share)
        lead = early_warning.leads(found, changed, line)
        others = early_warning.false_alarms(found, changed, line)
        assert row["line"] == line
        assert row["lost"] == len(lead)
        assert row["warned"] == (lead > 0).sum() / len(lead)
        assert row["early"] == (lead >= 28).sum() / len(lead)
        assert row["lead_days"] == np.median(lead[lead > 0])
        assert row[["any_week", "ever", "weeks", "stayed"]].tolist() == others.tolist()
    for name in ("line", "warned", "early", "any_week", "ever"):
        assert curve[name].is_monotonic_increasing, name


def test_the_alarm_curve_of_a_region_without_anybody_lost():
    _, _, _, rows = example()
    found = steady()
    curve = early_warning.curve(found, weekly_activity.changes(found), rows, 28)
    assert curve["lost"].eq(0).all()
    assert curve[["warned", "early", "lead_days"]].isna().all(axis=None)
    assert curve["any_week"].eq(0).all()


def test_paths_show_the_planted_fall_of_the_lost_and_none_of_those_who_stay():
    found = steady()
    found.volume[0, 70:81] = 5
    leave(found, 80)
    path = early_warning.paths(found, weekly_activity.changes(found))
    assert path.index.tolist() == list(range(26, -1, -1))
    assert path.loc[26:10, ["lost", "stayed"]].abs().max().max() < 0.05
    assert path.loc[6, "lost"] == pytest.approx(np.log(0.5), abs=0.05)
    assert path["stayed"].abs().max() < 0.05
    assert (path["lost_low"] == path["lost_high"]).all()  # one customer


# --- what it adds


def watched(effect=1.0, n=300, seed=1):
    """Return regulars at eight landmarks, about one in ten of them lost after a gap."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.normal(size=(8 * n, 3)), columns=["recency", "log_rate", "fall"])
    score = rows["recency"] + effect * rows["fall"] - 3
    return rows.assign(
        customer_id=np.tile([f"c{i:03}" for i in range(n)], 8),
        week=np.repeat([28, 36, 44, 52, 60, 68, 76, 84], n),
        lapse_later=(rng.random(8 * n) < 1 / (1 + np.exp(-score))).astype(float),
    )


FORMULA = "lapse_later ~ fall + recency + log_rate"


def test_what_a_fall_adds_is_the_difference_of_two_areas_walk_forward():
    rows, told = watched(), []
    for week in (60, 68, 76, 84):
        past, today = rows[rows["week"] + 17 <= week], rows[rows["week"] == week]
        columns = {"lost": today["lapse_later"]}
        for name, more in {"base": "", "more": " + fall"}.items():
            fit = smf.logit(f"lapse_later ~ recency + log_rate{more}", past).fit(disp=0)
            columns[name] = fit.predict(today)
        told.append(pd.DataFrame(columns))
    told = pd.concat(told)
    left, stayed = told[told["lost"] == 1], told[told["lost"] == 0]
    areas = {
        name: (left[name].to_numpy()[:, None] > stayed[name].to_numpy()).mean()
        for name in ("base", "more")
    }
    found = early_warning.added(FORMULA, rows, [60, 68, 76, 84])
    assert found.estimate == pytest.approx(areas["more"] - areas["base"], abs=1e-4)
    assert found.ci_low > 0.05
    assert (found.n_obs, found.df) == (300, early_warning.GROUPS - 1)


def test_what_a_fall_adds_does_not_hang_on_the_order_of_the_rows():
    rows = watched()
    mixed = rows.sample(frac=1, random_state=1)
    one, other = (early_warning.added(FORMULA, each, [68, 76, 84]) for each in (rows, mixed))
    assert [other.estimate, other.se] == pytest.approx([one.estimate, one.se])


def test_a_fall_that_tells_nothing_adds_nothing():
    found = early_warning.added(FORMULA, watched(effect=0.0), [60, 68, 76, 84])
    assert found.ci_low < 0 < found.ci_high
    assert abs(found.estimate) < 0.02


def test_what_a_fall_adds_is_not_told_from_a_few_lost():
    rows = watched()
    lost = rows["lapse_later"].where(rows["lapse_later"].cumsum() <= 5, 0.0)
    assert early_warning.added(FORMULA, rows.assign(lapse_later=lost), [68, 76, 84]) is None


def test_the_formula_of_the_claim_says_what_a_fall_is_added_to():
    """Without the other terms it is the fall alone, over chance; a bend of it goes with it."""
    rows, judged = watched(), [60, 68, 76, 84]
    alone = early_warning.added("lapse_later ~ fall", rows, judged)
    bent = early_warning.added("lapse_later ~ fall + I(fall ** 2)", rows, judged)
    beside = early_warning.added(FORMULA, rows, judged)
    assert alone.estimate > beside.estimate + 0.01
    assert bent.estimate == pytest.approx(alone.estimate, abs=0.02)
    assert bent.estimate != alone.estimate


# --- the risk


@properties
@given(st.sampled_from([60, 68, 76, 84]), st.integers(0, 3))
def test_a_risk_does_not_know_what_is_bought_after_its_landmark(week, kept):
    tables, _, _, rows = example()
    lines = tables["transactions"]
    later = lines["bought_at"] >= START + pd.Timedelta(weeks=week)
    left = lines[~later | (np.arange(len(lines)) % 4 < kept)]
    changed = told(tables | {"transactions": left})[-1]
    before, after = [each[each["week"] <= week] for each in (rows, changed)]
    assert after["risk"].to_numpy() == pytest.approx(before["risk"].to_numpy(), nan_ok=True)
    assert before.loc[before["week"] == week, "risk"].notna().all()
    assert after["gone"].sum() > before["gone"].sum()


def test_a_risk_is_that_of_a_logit_of_the_landmarks_two_quarters_ago():
    _, _, _, rows = example()
    past, today = rows[rows["week"] + 26 <= 76], rows[rows["week"] == 76]
    formula = "gone ~ recency + log_visits + log_weeks + regular + fall"
    plain = smf.logit(formula, past).fit(disp=0).predict(today)
    assert today["risk"].to_numpy() == pytest.approx(plain.to_numpy(), rel=1e-5)
    assert len(today) > 300


def test_there_is_no_risk_until_twenty_are_known_to_be_lost():
    _, _, _, rows = example()
    for week, each in rows.groupby("week"):
        known = rows.loc[rows["week"] + 26 <= week, "gone"].sum() >= 20
        assert each["risk"].notna().all() if known else each["risk"].isna().all()
    assert rows["risk"].isna().any()


def test_today_has_a_risk_before_anything_is_known_of_it():
    _, found, changed, rows = example()
    at = [*weekly_activity.every(found), found.n_weeks]
    now = call_list.scored(weekly_activity.moments(found, changed, at)).query("week == 104")
    assert now["risk"].between(0, 1).all()
    assert now["gone"].isna().all()
    assert rows["fall"].notna().all()


# --- whom to call


THREE = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c"],
        "segment": "van",
        "area": ["urban", "suburban", "urban"],
        "recency": np.log2([1 + 14, 1 + 14, 1 + 0]),
        "log_visits": np.log([20, 10, 40]),
        "log_weeks": np.log(20),
        "change": [np.log(0.9), np.log(0.5), np.nan],
        "fall": [-np.log(0.9), np.log(2), 0.0],
        "risk": [0.5, 0.2, 0.01],
    }
)
"""Their usual gaps are of 7, 14 and 3.5 days."""
SALES = pd.Series({"c": 4000.0, "a": 10.0})


def test_lists_by_hand():
    found = call_list.lists(THREE, SALES)
    assert found.index.tolist() == ["a", "b", "c"]
    assert found["silence"].tolist() == pytest.approx([2, 1, 0])
    assert found["fall"].tolist() == THREE["fall"].tolist()
    assert found["risk"].tolist() == [0.5, 0.2, 0.01]
    assert found["sales at risk"].tolist() == pytest.approx([5, 0, 40])


@pytest.mark.parametrize("days, kept", [(0, True), (20, True), (21, True), (22, False)])
def test_in_rhythm_is_silent_for_three_usual_gaps_at_most(days, kept):
    """The usual gap is of seven days."""
    rows = THREE.head(1).assign(recency=np.log2(1 + days))
    assert len(call_list.in_rhythm(rows)) == kept


def test_in_rhythm_keeps_the_rows_as_they_are():
    late = THREE.assign(recency=np.log2([1 + 24, 1 + 14, 1 + 10]))
    pd.testing.assert_frame_equal(call_list.in_rhythm(late), late.iloc[1:])


def test_customers_to_call_by_hand():
    found = call_list.to_call(THREE, call_list.lists(THREE, SALES), SALES, "CNY")
    assert found["customer_id"].tolist() == ["c", "a", "b"]
    assert found["rank"].tolist() == [1, 2, 3]
    assert found["area"].tolist() == ["urban", "urban", "suburban"]
    assert found["sales_at_risk_cny"].tolist() == [40, 5, 0]
    assert found["sales_year_cny"].tolist() == [4000, 10, 0]
    assert found["days_since_purchase"].tolist() == [0, 14, 14]
    assert found["usual_gap_days"].tolist()[1:] == [7, 14]
    assert found["volume_change"].tolist() == pytest.approx([np.nan, -0.1, -0.5], nan_ok=True)
    assert found["risk"].tolist() == [0.01, 0.5, 0.2]


def test_a_list_in_millions_has_the_digits_of_one_in_yuan():
    sales = 1e-6 * SALES
    found = call_list.to_call(THREE, call_list.lists(THREE, sales), sales, "MCNY")
    assert found["sales_at_risk_mcny"].tolist() == pytest.approx([40e-6, 5e-6, 0])
    assert found["sales_year_mcny"].tolist() == pytest.approx([4000e-6, 10e-6, 0])


def test_who_bought_on_the_last_day_has_a_usual_gap_too():
    found = call_list.to_call(THREE, call_list.lists(THREE, SALES), SALES, "CNY")
    assert found["usual_gap_days"].tolist() == [3.5, 7, 14]


def test_days_left_by_hand():
    """The last purchases are on the last day of weeks 70, 80 and 103."""
    found = steady(n=3)
    leave(found, 70, 0)
    leave(found, 80, 1)
    left = call_list.days_left(found, 71)
    assert left.to_dict() == {"c000": 0, "c001": 70, "c002": 33 * 7}


CAUGHT = ["lost", "in_time", "precision", "of_all", "sales", "days_left"]


def outcomes():
    """Return who is lost, sales and days left: a, c and d are lost."""
    ids = list("abcd")
    lost = pd.Series([1.0, 0, 1, 1], ids)
    return lost, pd.Series([10.0, 20, 40, 80], ids), pd.Series([3, 90, 0, 7], ids)


def test_caught_by_hand():
    """One list calls c and a, the other b and a."""
    scores = pd.DataFrame({"one": [3.0, 2, 9, 1], "other": [3.0, 9, 2, 1]}, list("abcd"))
    found = call_list.caught(scores, *outcomes(), 2)
    assert found.loc["other", CAUGHT].tolist() == pytest.approx([1, 1, 0.5, 1 / 3, 10, 3])
    assert found.loc["one", CAUGHT].tolist() == pytest.approx([2, 1, 1, 2 / 3, 50, 1.5], abs=1e-5)
    wilson = proportion_confint(1, 2, method="wilson")
    assert found.loc["other", ["ci_low", "ci_high"]].tolist() == pytest.approx(wilson)


def test_caught_looks_customers_up_by_their_ids():
    scores = pd.DataFrame({"one": [3.0, 2, 9, 1]}, list("abcd"))
    lost, sales, left = [each[::-1] for each in outcomes()]
    found = call_list.caught(scores, lost, sales, left, 2)
    assert found.loc["one", CAUGHT].tolist() == pytest.approx([2, 1, 1, 2 / 3, 50, 1.5], abs=1e-5)


def test_of_the_lost_only_those_on_the_list_count():
    lost, sales, left = outcomes()
    scores = pd.DataFrame({"one": [9.0, 2, 3]}, list("abc"))
    found = call_list.caught(scores, lost, sales, left, 1)
    assert found.loc["one", CAUGHT].tolist() == pytest.approx([1, 1, 1, 1 / 2, 10, 3], abs=1e-5)


def test_everybody_called_is_everybody_caught():
    _, there, _, rows = example()
    last = rows[rows["week"] == 76].set_index("customer_id")
    sales, lost = pd.Series(2.0, last.index), last["gone"]
    lists = call_list.lists(last.reset_index(), sales)
    left = call_list.days_left(there, 76)
    found = call_list.caught(lists, lost, sales, left, len(last))
    assert found.index.tolist() == ["silence", "fall", "risk", "sales at risk"]
    assert found["lost"].tolist() == [lost.sum()] * 4
    assert found["in_time"].tolist() == [(left[lost.index[lost == 1]] > 0).sum()] * 4
    assert 0 < found["in_time"].iloc[0] < lost.sum()
    assert found["precision"].tolist() == pytest.approx([lost.mean()] * 4)
    assert found["of_all"].tolist() == [1] * 4
    assert found["sales"].tolist() == [2 * lost.sum()] * 4


# --- the file


def test_an_id_is_no_formula(tmp_path):
    rows = pd.DataFrame({"customer_id": ["=1+1", "-7", "客户"], "volume_change": [-0.5, np.nan, 0]})
    findings.save_csv(rows, tmp_path / "calls.csv")
    written = pd.read_csv(tmp_path / "calls.csv")
    assert written["customer_id"].tolist() == ["'=1+1", "'-7", "客户"]
    assert written["volume_change"].iloc[0] == -0.5
    content = (tmp_path / "calls.csv").read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    assert b"\r" not in content
