"""Regions that lack something: a reason or an open verdict, no error, no confident number."""

import math

import numpy as np
import pandas as pd
import pytest

from analysis import alarms, contacts, data, landmarks, purchases, run
from analysis.example import World, draw, rehearsal
from analysis.example.rehearsal import END
from analysis.example.scenes import CASES, RETENTION, SURVEY
from analysis.sources import DataError

pytestmark = pytest.mark.slow

ITEMS = ["satisfaction_1", "satisfaction_2", "satisfaction_3", "expectation", "performance"]
COMPONENTS = ["product_value", "service_value", "personnel_value", "image_value"]
COMPONENTS += ["money_cost", "time_cost", "energy_cost", "effort_cost"]
OTHERS = ["loyalty_1", "loyalty_2", "loyalty_3", "price_sensitivity", "added_service"]
RATINGS = ITEMS + COMPONENTS + OTHERS
DECIDED = {"supported", "contradicted", "too small to matter"}


@pytest.fixture(scope="module")
def tables():
    return draw(World(), 900, 3)


def findings_of(tables, without=()):
    """Run all sections of both notebooks; return findings by hypothesis, held to be whole."""
    here, found = rehearsal.region_of(tables, without), {}
    for name, names in (("02_satisfaction_drivers", SURVEY), ("03_complaint_recovery", CASES)):
        found |= rehearsal.run(run.notebooks()[name], here, names)[0]
    assert list(found) == [*SURVEY, *CASES]
    hold_whole(found)
    return found


def hold_whole(found):
    """Check that each finding has a reason or finite numbers, and says nothing unknown."""
    for finding in found.values():
        if finding.verdict == "not testable":
            assert len(finding.reason) > 20
            assert "nan" not in finding.reason.lower()
        for each in finding.estimates.values():
            assert math.isfinite(each.estimate)
            assert each.ci_low <= each.estimate <= each.ci_high
        said = " ".join([finding.meaning, *finding.caveats, *(c.value for c in finding.checks)])
        assert "nan" not in said.lower().split()


def changed(tables, name, **columns):
    return {**tables, name: tables[name].assign(**columns)}


def test_nobody_complained(tables):
    found = findings_of({**tables, "complaints": tables["complaints"].iloc[:0]})
    assert {found[key].verdict for key in CASES} == {"not testable"}
    assert "complaints" in found["H08"].reason
    assert found["H01"].verdict != "not testable"


def test_all_answers_are_equal(tables):
    found = findings_of(changed(tables, "survey", **dict.fromkeys(RATINGS, 8)))
    assert {found[key].verdict for key in SURVEY} == {"not testable"}
    assert "same" in found["H01"].reason


def test_all_are_equally_satisfied(tables):
    equal = dict.fromkeys(ITEMS[:3], 9) | dict.fromkeys(OTHERS[:3], 9)
    found = findings_of(changed(tables, "survey", **equal))
    assert {found[key].verdict for key in SURVEY[:6]} == {"not testable"}
    assert "satisfaction" in found["H02"].reason


def test_satisfaction_after_every_case_is_the_same(tables):
    found = findings_of(changed(tables, "complaints", satisfaction_after=7))
    assert found["H08"].verdict == found["H09"].verdict == "not testable"
    assert "same" in found["H08"].reason


def test_a_component_is_missing_for_all(tables):
    found = findings_of(changed(tables, "survey", image_value=np.nan))
    assert found["H02"].verdict == "not testable"
    assert "image_value" in found["H02"].reason
    assert found["H01"].verdict != "not testable"


def test_twelve_customers():
    found = findings_of(draw(World(), 12, 2))
    assert not DECIDED & {finding.verdict for finding in found.values()}


def test_sixty_customers_decide_little():
    found = findings_of(draw(World(), 160, 2))
    assert not DECIDED & {found[key].verdict for key in ("H05", *CASES)}


def test_one_wave_only(tables):
    survey = tables["survey"]
    last = survey["answered_on"] > survey["answered_on"].max() - pd.Timedelta(days=60)
    found = findings_of({**tables, "survey": survey[last]})
    assert "two waves" in found["H05"].reason
    assert found["H01"].verdict != "not testable"


def test_undated_answers(tables):
    found = findings_of(changed(tables, "survey", answered_on=pd.NaT))
    assert found["H05"].verdict == "not testable"
    assert found["H11"].verdict in ("not testable", "inconclusive")


def test_a_constant_channel(tables):
    found = findings_of(changed(tables, "survey", channel="online"))
    assert found["H04"].verdict == "not testable"
    assert "channel" in found["H04"].reason


def test_everybody_lives_in_the_city(tables):
    found = findings_of(changed(tables, "customers", area="urban"))
    assert found["H04"].verdict == "not testable"


def test_perfectly_collinear_components(tables):
    same = changed(tables, "survey", service_value=tables["survey"]["product_value"])
    found = findings_of(same)
    assert found["H02"].verdict == "inconclusive"
    failed = [check for check in found["H02"].checks if not check.passed]
    assert ("variance inflation", "collinear") in {(each.name, each.value) for each in failed}


def test_cases_resolved_before_they_were_opened(tables):
    early = tables["complaints"]["opened_at"] - pd.Timedelta(days=2)
    found = findings_of(changed(tables, "complaints", resolved_at=early))
    assert found["H08"].verdict == "not testable"
    assert "settled cases" in found["H08"].reason


def test_every_case_is_settled_in_time(tables):
    soon = tables["complaints"]["opened_at"] + pd.Timedelta(hours=5)
    found = findings_of(changed(tables, "complaints", resolved_at=soon, explained_at=pd.NaT))
    assert found["H08"].verdict == found["H09"].verdict == "not testable"


def test_nobody_was_told_on_day_three(tables):
    opened = tables["complaints"]["opened_at"]
    found = findings_of(changed(tables, "complaints", explained_at=opened.max()))
    assert found["H09"].verdict == "not testable"


def test_no_severity_was_recorded(tables):
    found = findings_of(tables, without=["complaints.severity"])
    assert {found["H08"].verdict, found["H09"].verdict} <= {"inconclusive", "not testable"}
    failed = {check.name for check in found["H08"].checks if not check.passed}
    assert "cases whose severity is known" in failed


def test_several_cases_of_the_same_customers(tables):
    cases = tables["complaints"]
    few = cases["customer_id"].iloc[np.arange(len(cases)) // 3].to_numpy()
    found = findings_of({**tables, "complaints": cases.assign(customer_id=few)})
    assert "CR3" in found["H08"].estimates["policy"].method


def test_half_of_the_ratings_are_missing(tables):
    rng, survey = np.random.default_rng(1), tables["survey"].copy()
    survey[RATINGS] = survey[RATINGS].mask(rng.random((len(survey), len(RATINGS))) < 0.45)
    findings_of({**tables, "survey": survey})


def test_everybody_tells_nobody(tables):
    found = findings_of(changed(tables, "survey", told_others=0))
    assert found["H06"].verdict == "not testable"


def test_no_segment_no_area_no_day_of_joining(tables):
    nothing = {"segment": pd.NA, "area": pd.NA, "joined_on": pd.NaT}
    found = findings_of(changed(tables, "customers", **nothing))
    assert found["H01"].verdict != "not testable"
    assert found["H04"].verdict == "not testable"


def test_no_survey_at_all(tables):
    found = findings_of({**tables, "survey": tables["survey"].iloc[:0]})
    assert {found[key].verdict for key in (*SURVEY, "H11")} == {"not testable"}


# 05_customer_retention: its six hypotheses, and the sections outside of them

PURCHASES = ("H17", "H18", "H19", "H20", "H21")
LAST = pd.Timestamp(END)


@pytest.fixture(autouse=True)
def reports(monkeypatch, tmp_path):
    """Keep the list of customers to call out of the project's own reports."""
    monkeypatch.setenv("WORKBOOK_REPORTS", str(tmp_path / "reports"))
    return tmp_path / "reports"


@pytest.fixture(scope="module")
def many():
    """A region that is large enough for all of H17 to H22."""
    return draw(World(), 1_400, 3)


@pytest.fixture(scope="module")
def whole(many, tmp_path_factory):
    """The findings of the region that lacks nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBOOK_REPORTS", str(tmp_path_factory.mktemp("reports")))
        return retention(many)


def retention(tables):
    """Run all sections of the retention notebook on a region without files."""
    return retention_of(rehearsal.region_of(tables))


def retention_of(here):
    """Run all sections of the retention notebook; return its findings, held to be whole."""
    sections = ("Lost:", "H17", "H18", "Customers", "H19", "H20", "H21", "H22")
    found = rehearsal.run(run.notebooks()["05_customer_retention"], here, sections)[0]
    assert list(found) == list(RETENTION)
    hold_whole(found)
    return found


def hold_open(finding, words):
    """Check that a finding decides nothing, and that its reason or a failed check says why."""
    failed = [check.name for check in finding.checks if check.blocking and not check.passed]
    assert finding.verdict not in DECIDED
    assert words.lower() in " ".join([finding.reason, *failed]).lower()


def hold_same(found, whole, *names):
    """Check that hypotheses which do not need what is broken find what they found before."""
    for name in names:
        assert found[name].verdict == whole[name].verdict
        assert found[name].reason == whole[name].reason
        for part, each in whole[name].estimates.items():
            numbers = [each.estimate, each.ci_low, each.ci_high]
            again = found[name].estimates[part]
            assert [again.estimate, again.ci_low, again.ci_high] == pytest.approx(numbers)


def hold_tested(found, *names):
    """Check that hypotheses have estimates."""
    assert all(found[name].estimates for name in names)


def sold(tables, rows):
    """Keep these lines of the purchases."""
    return {**tables, "transactions": tables["transactions"][rows].reset_index(drop=True)}


def before(days):
    """Return the day that lies so many days before the end."""
    return LAST - pd.Timedelta(days=days)


def test_the_station_of_a_third_of_the_customers_closes(many, whole):
    lines, ids = many["transactions"], many["customers"]["customer_id"]
    theirs = lines["customer_id"].isin(ids[::3])
    moved = changed(many, "transactions", station_id=lines["station_id"].mask(theirs, "S99"))
    found = retention(sold(moved, ~(theirs & (lines["bought_at"] > before(182)))))
    for name in PURCHASES:
        hold_open(found[name], "customers of stations that closed")
    hold_same(found, whole, "H22")


def test_nobody_buys_for_three_weeks(many, whole):
    day = many["transactions"]["bought_at"]
    found = retention(sold(many, (day < before(330)) | (day >= before(309))))
    for name in PURCHASES:
        hold_open(found[name], "days on end without any purchase")
    hold_same(found, whole, "H22")


@pytest.mark.parametrize("days", [1])
def test_days_that_stand_twice(many, whole, days):
    lines = many["transactions"]
    again = lines["bought_at"].between(before(290), before(290 - days), inclusive="left")
    twice = {**many, "transactions": pd.concat([lines, lines[again]], ignore_index=True)}
    once, more = rehearsal.region_of(many), rehearsal.region_of(twice)
    span = (once.start, once.end)
    visits = purchases.per_customer(more, *span)["visits"]
    pd.testing.assert_series_equal(visits, purchases.per_customer(once, *span)["visits"])
    found = retention(twice)
    for name in PURCHASES:
        hold_open(found[name], "days that stand in the data twice")
    assert str(days) in {check.value for check in found["H17"].checks if not check.passed}
    hold_same(found, whole, "H22")


@pytest.fixture
def written(write_source):
    """Return a function that writes tables as files and returns their TOML file."""

    def write(tables):
        files = {name: table.to_csv(index=False) for name, table in tables.items()}
        extra = "".join(f'[{name}]\nfile = "{name}.csv"\n' for name in ("complaints", "contacts"))
        return str(write_source(f"as_of = {END}\nmax_set_aside = 0.05\n{extra}", **files))

    return write


def with_refunds(tables, every):
    """Add a line with the amount taken back, a day later, to some of the purchases."""
    lines = tables["transactions"]
    back = lines[lines["bought_at"] < before(1)].iloc[::every]
    back = back.assign(amount=-back["amount"], bought_at=back["bought_at"] + pd.Timedelta(days=1))
    return {**tables, "transactions": pd.concat([lines, back])}, len(back)


def test_refunds_are_set_aside_and_are_no_visits(written):
    tables = draw(World(), 600, 3)
    refunded, n_back = with_refunds(tables, every=40)
    here, clean = data.load(written(refunded), "Example"), rehearsal.region_of(tables)
    aside = here.set_aside.set_index("column")
    assert (aside["rows"].to_dict(), here.end) == ({"amount": n_back}, END)
    visits, expected = (
        purchases.per_customer(each, each.start, each.end)["visits"] for each in (here, clean)
    )
    assert visits.to_list() == expected.to_list()
    hold_same(retention_of(here), retention_of(clean), *RETENTION)


def test_a_region_of_many_refunds_is_refused(written):
    tables = draw(World(), 100, 3)
    with pytest.raises(DataError, match="break the contract in amount"):
        data.load(written(with_refunds(tables, every=10)[0]), "Example")


YOUNG = {
    100: {"H17": "are 100", "H18": "are 100", "H21": "are 100"},
    200: {"H17": "are 200", "H18": "are 200", "H21": "are 200"},
    330: {"H17": "are 330", "H18": "are 330", "H21": "are 330"},
    400: {"H18": "lost after a gap", "H21": "contacted"},
    600: {"H18": "after a gap"},
}


@pytest.mark.parametrize("days", [200])
def test_a_region_younger_than_the_horizon(many, whole, days):
    found = retention(sold(many, many["transactions"]["bought_at"] >= before(days - 1)))
    for name, words in YOUNG[days].items():
        hold_open(found[name], words)
    for name in ("H19", "H20"):
        hold_open(found[name], f"needs 720 days of purchases; there are {days}")
    hold_tested(found, *(set(RETENTION) - {"H19", "H20"} - YOUNG[days].keys()))
    hold_same(found, whole, "H22")


def early_cards(people):
    """Date a third of the cards a month before their holder joined."""
    has = people["card_since"].notna()
    month_before = people["joined_on"] - pd.Timedelta(days=30)
    return people["card_since"].mask(has & (has.cumsum() % 3 == 0), month_before)


def cards_of_one_day(people):
    """Give the cards of all who were customers by then the day of a new system."""
    day = before(485)
    there = people["card_since"].notna() & (people["joined_on"] < day)
    return people["card_since"].where(there).mask(there, day)


CARDS = {
    "dated before their customer": (early_cards, "cards dated before their customer"),
    "all have one": (lambda people: people["joined_on"], "with a card"),
    "nobody has one": (lambda _: pd.NaT, "card_since"),
    "all of one day": (cards_of_one_day, "card"),
}


@pytest.mark.parametrize("how", ["dated before their customer", "nobody has one"])
def test_cards_that_tell_nothing(many, whole, how):
    cards, words = CARDS[how]
    found = retention(changed(many, "customers", card_since=cards(many["customers"])))
    hold_open(found["H19"], words)
    hold_same(found, whole, "H17", "H18", "H20", "H21", "H22")


def told(tables, **columns):
    """Change columns of the contacts."""
    return changed(tables, "contacts", **columns)


def kept_contacts(tables, rows):
    """Keep these contacts."""
    return {**tables, "contacts": tables["contacts"][rows]}


def on_one_day(tables, purpose):
    """Keep one contact of a purpose for each customer, all on the same day."""
    rows = tables["contacts"]
    once = rows[rows["purpose"] == purpose].drop_duplicates("customer_id")
    others = rows[rows["purpose"] != purpose]
    return {**tables, "contacts": pd.concat([others, once.assign(contacted_on=before(480))])}


def everybody_on_one_day(tables):
    """Visit, win and keep every customer on the same day."""
    kinds = {"visit": "service", "campaign": "acquire", "letter": "retain"}
    all_of_them = [
        pd.DataFrame({"customer_id": tables["customers"]["customer_id"]}).assign(
            contacted_on=before(480), kind=kind, purpose=purpose, cost=8.0
        )
        for kind, purpose in kinds.items()
    ]
    return {**tables, "contacts": pd.concat(all_of_them)}


def paid_by_one_campaign(tables, purpose):
    """Book all that a purpose cost on the largest of its campaigns that was followed."""
    rows = tables["contacts"]
    own = rows["purpose"] == purpose
    followed = own & rows["contacted_on"].between(before(600), before(400))
    one = rows.loc[followed, "contacted_on"].mode().iloc[0]
    return told(tables, cost=rows["cost"].mask(own & (rows["contacted_on"] != one), 0.0))


def winning_was_free(tables):
    """Set what was spent to win customers to 0."""
    rows = tables["contacts"]
    return told(tables, cost=rows["cost"].mask(rows["purpose"] == "acquire", 0.0))


def more_on_the_others(tables):
    """Spend much, later, on those who were not contacted."""
    rows, ids = tables["contacts"], tables["customers"]["customer_id"]
    reached = rows["purpose"] == "retain"
    others = pd.DataFrame({"customer_id": ids[~ids.isin(rows.loc[reached, "customer_id"])]})
    later = {"contacted_on": before(350), "kind": "campaign", "purpose": "retain", "cost": 900.0}
    cheap = rows.assign(cost=rows["cost"].mask(reached, 1.0))
    return {**tables, "contacts": pd.concat([cheap, others.assign(**later)])}


CONTACTS = {
    "no table": (lambda t: kept_contacts(t, slice(0)), "contacts", "contacts"),
    "no costs": (lambda t: told(t, cost=np.nan), None, "cost"),
    "half of the costs": (
        lambda t: told(t, cost=t["contacts"]["cost"].mask(np.arange(len(t["contacts"])) % 2 == 0)),
        None,
        "contacts whose cost is known",
    ),
    "no purpose": (lambda t: told(t, purpose=None), None, "purpose"),
    "visits only": (
        lambda t: kept_contacts(t, t["contacts"]["kind"] == "visit"),
        None,
        "0 were contacted",
    ),
    "campaigns only": (
        lambda t: kept_contacts(t, t["contacts"]["kind"] == "campaign"),
        "the kind visit: 0",
        None,
    ),
    "one campaign to keep": (lambda t: on_one_day(t, "retain"), None, "campaign"),
    "one campaign to win": (lambda t: on_one_day(t, "acquire"), None, "campaign"),
    "everybody on one day": (everybody_on_one_day, "0 were visited as promised", "0 were not"),
    "costs of 0": (lambda t: told(t, cost=0.0), None, "No more was spent"),
    "winning was free": (winning_was_free, None, "cost"),
    "one campaign paid for all that won": (
        lambda t: paid_by_one_campaign(t, "acquire"),
        None,
        "campaign",
    ),
    "one campaign paid for all that kept": (
        lambda t: paid_by_one_campaign(t, "retain"),
        None,
        "campaign",
    ),
    "more on those not contacted": (more_on_the_others, None, "No more was spent"),
}


@pytest.mark.parametrize("how", ["no table", "no costs"])
def test_contacts_that_tell_nothing(many, whole, how):
    change, visits, costs = CONTACTS[how]
    found = retention(change(many))
    for name, words in (("H20", visits), ("H21", costs)):
        if words:
            hold_open(found[name], words)
        else:
            hold_same(found, whole, name)
    hold_same(found, whole, "H17", "H18", "H19", "H22")


def visited(tables, monthly):
    """Visit every key account evenly in the half year, as often as its tier says."""
    accounts = contacts.accounts(rehearsal.region_of(tables))["tier"]
    rows, gone = tables["contacts"], before(landmarks.YEAR)
    half = (rows["kind"] == "visit") & (rows["contacted_on"] > gone)
    half &= rows["customer_id"].isin(accounts.index)
    visits = [
        (name, gone + pd.Timedelta(days=day), "visit", "service", 80.0)
        for name, tier in accounts.items()
        for day in np.linspace(3, 180, 6 * monthly[tier]).round()
    ]
    made = pd.DataFrame(visits, columns=list(rows.columns))
    return {**tables, "contacts": pd.concat([rows[~half], made])}


VISITS = {
    "as promised": ({"A": 3, "B": 2, "C": 1}, "visited as promised and 0 were not"),
    "nobody": ({"A": 0, "B": 0, "C": 0}, "0 were visited as promised"),
    "not the small ones": ({"A": 3, "B": 2, "C": 0}, "balance"),
}


def enlarged(tables, one, share):
    """Enlarge what one customer buys each time until he has a share of all sales."""
    lines = tables["transactions"]
    own = lines["customer_id"] == one
    sales = lines["amount"].groupby(own).sum()
    factor = share / (1 - share) * sales[False] / sales[True]
    columns = ("amount", "cost", "quantity")
    return changed(
        tables, "transactions", **{name: lines[name].mask(own, lines[name] * factor)
                                   for name in columns}
    )  # fmt: skip


def asked(tables, **columns):
    """Give everybody who answered an item the same answer."""
    survey = tables["survey"].reset_index(drop=True).astype(dict.fromkeys(columns, float))
    same = {name: survey[name].mask(survey[name].notna(), each) for name, each in columns.items()}
    return {**tables, "survey": survey.assign(**same)}


def top_half(tables, name):
    """Raise the upper half of an item's answers to the top of the scale."""
    survey = tables["survey"].reset_index(drop=True)
    answers = survey[name].astype(float)
    top = answers.mask(answers >= answers.median(), 10.0)
    return {**tables, "survey": survey.assign(**{name: top})}


def two_answers(tables, name):
    """Let an item have two answers only."""
    survey = tables["survey"].reset_index(drop=True)
    answers = survey[name].astype(float)
    two = answers.mask(answers <= 7, 1.0).mask(answers > 7, 10.0)
    return {**tables, "survey": survey.assign(**{name: two})}


def one_number_throughout(tables):
    """Let all but eight of the business customers tick the same number for all that is asked."""
    survey = tables["survey"].reset_index(drop=True)
    firms = survey.loc[survey["org_benefit"].notna(), "customer_id"].unique()[8:]
    same = survey["customer_id"].isin(firms)
    items = ["org_benefit", "personal_benefit", "loyalty_1", "loyalty_2", "loyalty_3"]
    ticked = {name: survey[name].mask(same, survey["org_benefit"]) for name in items}
    return {**tables, "survey": survey.assign(**ticked)}


def forty_firms(tables):
    """Keep the answers of 40 business customers, and of all others."""
    survey = tables["survey"]
    firms = survey.loc[survey["org_benefit"].notna(), "customer_id"].unique()
    return {**tables, "survey": survey[~survey["customer_id"].isin(firms[40:])]}


OPINIONS = {
    "no survey": (lambda t: {**t, "survey": t["survey"].iloc[:0]}, "survey"),
    "no benefits": (
        lambda t: changed(t, "survey", org_benefit=np.nan, personal_benefit=np.nan),
        "org_benefit, personal_benefit",
    ),
    "constant benefits": (
        lambda t: asked(t, org_benefit=7, personal_benefit=7),
        "the same personal benefit",
    ),
    "one benefit is the other": (
        lambda t: changed(t, "survey", personal_benefit=t["survey"]["org_benefit"]),
        "benefit",
    ),
    "one benefit is the other reversed": (
        lambda t: changed(t, "survey", personal_benefit=11 - t["survey"]["org_benefit"]),
        "benefit",
    ),
    "a benefit at its top": (lambda t: top_half(t, "org_benefit"), "corner"),
    "two answers on a benefit": (lambda t: two_answers(t, "org_benefit"), "benefit"),
    "one number throughout": (one_number_throughout, "one number throughout"),
    "constant loyalty": (
        lambda t: asked(t, loyalty_1=8, loyalty_2=8, loyalty_3=8),
        "the same loyalty",
    ),
    "two answers on loyalty": (lambda t: two_answers(t, "loyalty_1"), "loyalty"),
    "40 business customers": (forty_firms, "50 are needed"),
}


def called(reports):
    """Return the customers in the list of those to call."""
    rows = pd.read_csv(reports / "simulated" / "Example" / alarms.FILE)
    assert 0 < len(rows) <= 100
    return set(rows["customer_id"])
