"""Regions that lack something for H17 to H22: a reason or an open verdict, no error."""

import re

import numpy as np
import pandas as pd
import pytest

from analysis.claims import claim
from analysis.cohorts import contacts, landmark, purchases
from analysis.data.region import load_region
from analysis.data.sources import ROOT
from analysis.statistics.estimate import NotEstimable
from bad_regions import DECIDED, changed, hold_whole
from simulation import World, draw, rehearsal
from simulation.rehearsal import END
from simulation.scenes import RETENTION

pytestmark = pytest.mark.slow

PURCHASES = ("H17", "H18", "H19", "H20", "H21")
LAST = pd.Timestamp(END)
CALLS = ROOT / "notebooks" / "retention" / "survival_and_calls.ipynb"


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


def retention(tables, *names):
    """Run the notebooks of these claims, or of all on retention, on a region without files."""
    return retention_of(rehearsal.region_of(tables), *names)


def retention_of(here, *names):
    """Return the findings of these claims, or of all on retention, held to be whole."""
    found = {key: rehearsal.run(key, here)[0] for key in names or RETENTION}
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


def test_a_region_that_lacks_nothing_tests_all(whole):
    hold_tested(whole, *RETENTION)


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


@pytest.mark.parametrize(
    ("days", "words"), [(40, "days on end without any purchase"), (70, "the last 70 days")]
)
def test_everybody_stops_at_once_before_the_end(many, whole, days, words):
    found = retention(sold(many, many["transactions"]["bought_at"] < before(days - 1)))
    for name in PURCHASES:
        hold_open(found[name], words)
    hold_same(found, whole, "H22")


def test_all_but_eight_customers_stop_at_once(many, whole):
    lines = many["transactions"]
    stay = lines["customer_id"].isin(lines["customer_id"].value_counts().index[:8])
    found = retention(sold(many, stay | (lines["bought_at"] < before(250))))
    assert not DECIDED & {found[name].verdict for name in PURCHASES}
    hold_same(found, whole, "H22")


@pytest.mark.parametrize("days", [1, 30])
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

    def write(tables, more=""):
        files = {name: table.to_csv(index=False) for name, table in tables.items()}
        extra = "".join(f'[{name}]\nfile = "{name}.csv"\n' for name in ("complaints", "contacts"))
        return str(write_source(f"as_of = {END}\nmax_set_aside = 0.05\n{extra}{more}", **files))

    return write


LEFT_OUT = "[transactions]\nfile = 'transactions.csv'\nrefunds = 'leave_out'\n"


def with_refunds(tables, every):
    """Give some of the purchases back a day later; also the tables without these purchases."""
    lines = tables["transactions"].reset_index(drop=True)
    bought = lines[lines["bought_at"] < before(1)].iloc[::every]
    later = bought["bought_at"] + pd.Timedelta(days=1)
    back = bought.assign(amount=-bought["amount"], bought_at=later)
    kept = {**tables, "transactions": lines.drop(bought.index)}
    return {**tables, "transactions": pd.concat([lines, back])}, kept, len(back)


def test_what_was_given_back_was_never_bought(written):
    refunded, kept, n_back = with_refunds(draw(World(), 600, 3), every=40)
    here, clean = load_region(written(refunded), "Example"), rehearsal.region_of(kept)
    assert here.rejected.empty
    assert here.left_out[["reason", "rows"]].values.tolist() == [["given back", n_back]]
    hold_same(retention_of(here), retention_of(clean), *RETENTION)


def test_refunds_that_are_left_out_are_no_visits(written):
    tables = draw(World(), 600, 3)
    refunded, _, n_back = with_refunds(tables, every=40)
    here = load_region(written(refunded, LEFT_OUT), "Example")
    assert here.rejected.empty
    assert here.refunds.lines == n_back
    visits, expected = (
        purchases.per_customer(each, each.start, each.end)["visits"]
        for each in (here, rehearsal.region_of(tables))
    )
    assert visits.to_list() == expected.to_list()


def test_many_refunds_that_are_left_out_keep_claims_about_money_open(written):
    refunded = with_refunds(draw(World(), 100, 3), every=10)[0]
    here = load_region(written(refunded, LEFT_OUT), "Example")
    assert here.refunds.share > claim.MOST_REFUNDED


def test_no_purchases_at_all(written):
    nothing = pd.DataFrame(columns=["customer_id", "bought_at", "amount"])
    tables = draw(World(), 900, 3) | {"transactions": nothing}
    found = retention_of(load_region(written(tables), "Example"))
    for name in PURCHASES:
        hold_open(found[name], "'transactions'")
    hold_tested(found, "H22")


@pytest.mark.parametrize("cost", [np.nan, 0.0, 10.0])
def test_all_amounts_are_zero(many, whole, cost):
    found = retention(changed(many, "transactions", amount=0.0, cost=cost))
    hold_open(found["H19"], "margin" if cost >= 0 else "sales")
    hold_open(found["H20"], "sales")
    hold_tested(found, "H21")
    hold_same(found, whole, "H17", "H18", "H22")


def test_nobody_leaves_but_many_pause():
    """Silences of eight weeks are foretold, and end with a purchase: nobody is lost."""
    found = retention(draw(World(lapse_hazard=0.0, pauses=0.5), 1_400, 3), "H17")["H17"]
    assert found.estimates["odds_ratio"].ci_low > 1.2
    hold_open(found, "silences of a year")


@pytest.mark.parametrize("seed", [3, 4])
def test_where_customers_leave_and_others_pause_h17_is_decided(seed):
    found = retention(draw(World(pauses=0.5), 1_000, seed), "H17")["H17"]
    again = next(check for check in found.checks if "bought again by the end" in check.name)
    share, low, _ = map(float, re.findall(r"[\d.]+", again.value))  # 44% (40% to 48%)
    assert share > 33
    assert low < share
    assert found.verdict == "supported"


def test_a_region_of_three_customers_and_six_lines():
    days = ["2024-09-30", "2026-03-28", *4 * ["2026-04-12"]]
    lines = pd.DataFrame({"customer_id": ["K2", "K1", *4 * ["K3"]], "amount": range(100, 106)})
    lines = lines.assign(bought_at=pd.to_datetime(days), amount=lines["amount"] * 1.0)
    people = pd.DataFrame({"customer_id": ["K1", "K2", "K3"], "region": "R"})
    found = retention({"customers": people, "transactions": lines})
    assert {finding.verdict for finding in found.values()} == {"not testable"}


@pytest.mark.parametrize("n_customers", [200, 300])
def test_few_ordinary_customers_are_not_called_collinear(n_customers):
    found = retention(draw(World(), n_customers, 3), "H17")["H17"]
    assert found.estimates
    assert found.reason == ""


def test_a_benefit_coded_the_wrong_way_round_keeps_h22_open(many, whole):
    turned = changed(many, "survey", org_benefit=11 - many["survey"]["org_benefit"])
    hold_open(retention(turned, "H22")["H22"], "the benefits rise together")
    assert [check.passed for check in whole["H22"].checks if "benefits rise" in check.name] == [
        True
    ]


YOUNG = {
    100: {"H17": "are 100", "H18": "are 100", "H21": "are 100"},
    200: {"H17": "are 200", "H18": "are 200", "H21": "are 200"},
    330: {"H17": "are 330", "H18": "are 330", "H21": "are 330"},
    400: {
        "H18": "lost whose outcome was known",
        "H21": "contacted to keep them, a year before the end: 0",
    },
    600: {"H18": "lost whose outcome was known"},
}


@pytest.mark.parametrize("days", YOUNG)
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


@pytest.mark.parametrize("how", CARDS)
def test_cards_that_tell_nothing(many, whole, how):
    cards, words = CARDS[how]
    found = retention(changed(many, "customers", card_since=cards(many["customers"])), "H19", "H20")
    hold_open(found["H19"], words)
    hold_same(found, whole, "H20")


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
        "customers contacted to keep them, a year before the end: 0",
    ),
    "campaigns only": (
        lambda t: kept_contacts(t, t["contacts"]["kind"] == "campaign"),
        "sales and visits: 0",
        None,
    ),
    "one campaign to keep": (lambda t: on_one_day(t, "retain"), None, "campaign"),
    "one campaign to win": (lambda t: on_one_day(t, "acquire"), None, "campaign"),
    "everybody on one day": (
        everybody_on_one_day,
        "customers visited as promised: 0",
        "not contacted to keep them, a year before the end: 0",
    ),
    "costs of 0": (lambda t: told(t, cost=0.0), None, "cost"),
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


@pytest.mark.parametrize("how", CONTACTS)
def test_contacts_that_tell_nothing(many, whole, how):
    change, visits, costs = CONTACTS[how]
    found = retention(change(many), "H20", "H21", "H22")
    for name, words in (("H20", visits), ("H21", costs)):
        if words:
            hold_open(found[name], words)
        else:
            hold_same(found, whole, name)
    hold_same(found, whole, "H22")


def test_no_segments(many):
    found = retention(changed(many, "customers", segment=None))
    hold_tested(found, "H17", "H18", "H19", "H21", "H22")
    if not found["H20"].estimates:
        hold_open(found["H20"], "segment")


def visited(tables, monthly):
    """Visit every key account evenly in the half year, as often as its tier says."""
    accounts = contacts.accounts(rehearsal.region_of(tables))["tier"]
    rows, gone = tables["contacts"], before(landmark.YEAR)
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
    "as promised": ({"A": 3, "B": 2, "C": 1}, "not visited as promised: 0"),
    "nobody": ({"A": 0, "B": 0, "C": 0}, "customers visited as promised: 0"),
    "not the small ones": ({"A": 3, "B": 2, "C": 0}, "no finite ratio"),
}


@pytest.mark.parametrize("how", VISITS)
def test_visits_that_tell_nothing(many, whole, how):
    monthly, words = VISITS[how]
    found = retention(visited(many, monthly), "H20", "H21")
    hold_open(found["H20"], words)
    hold_same(found, whole, "H21")


def enlarged(tables, one, share):
    """Enlarge what one customer buys each time until they have a share of all sales."""
    lines = tables["transactions"]
    own = lines["customer_id"] == one
    sales = lines["amount"].groupby(own).sum()
    factor = share / (1 - share) * sales[False] / sales[True]
    columns = ("amount", "cost", "quantity")
    return changed(
        tables, "transactions", **{name: lines[name].mask(own, lines[name] * factor)
                                   for name in columns}
    )  # fmt: skip


def test_a_tier_without_accounts(many, whole):
    accounts = contacts.accounts(rehearsal.region_of(many))
    one = accounts["log_sales"].idxmax()
    found = retention(enlarged(many, one, 0.97))
    hold_open(found["H20"], "0 in B")
    hold_tested(found, "H17", "H18", "H19", "H21")
    hold_same(found, whole, "H22")


def test_one_customer_has_most_of_all_sales(many, whole):
    people, ids = many["customers"], many["transactions"]["customer_id"]
    private = people["card_since"].isna() & (people["segment"] == "private")
    most_often = ids[ids.isin(people.loc[private, "customer_id"])].mode().iloc[0]
    found = retention(enlarged(many, most_often, 0.6))
    hold_open(found["H19"], "too few, or too unlike")
    hold_tested(found, "H17", "H18", "H20", "H21")
    hold_same(found, whole, "H22")


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
    "one number throughout": (one_number_throughout, "ticked more than one number"),
    "constant loyalty": (
        lambda t: asked(t, loyalty_1=8, loyalty_2=8, loyalty_3=8),
        "the same loyalty",
    ),
    "two answers on loyalty": (lambda t: two_answers(t, "loyalty_1"), "loyalty"),
    "40 business customers": (forty_firms, "50 are needed"),
}


@pytest.mark.parametrize("how", OPINIONS)
def test_answers_that_tell_nothing(many, whole, how):
    change, words = OPINIONS[how]
    found = retention(change(many), "H20", "H22")
    hold_open(found["H22"], words)
    hold_same(found, whole, "H20")


@pytest.mark.parametrize("how", ["empty", "zero", "no column"])
def test_no_quantities(many, whole, how):
    lines = many["transactions"]
    lines = {
        "empty": lines.assign(quantity=np.nan),
        "zero": lines.assign(quantity=0.0),
        "no column": lines.drop(columns="quantity"),
    }[how]
    found = retention({**many, "transactions": lines}, "H17", "H18")
    hold_open(found["H18"], "quantity")
    hold_same(found, whole, "H17")


def test_no_products(many, whole):
    lines = many["transactions"].drop(columns="product")
    found = retention({**many, "transactions": lines})
    hold_tested(found, "H18", "H20")
    hold_same(found, whole, "H17", "H19", "H21", "H22")


def test_where_stations_are_not_known_none_is_said_to_be_open(many, whole):
    lines = many["transactions"].drop(columns="station_id")
    found = retention({**many, "transactions": lines})
    hold_same(found, whole, *RETENTION)
    passed = {check.name for check in found["H17"].checks if check.blocking and check.passed}
    assert "customers of stations that closed" not in passed


@pytest.mark.parametrize("nothing", [{"joined_on": pd.NaT}, {"area": None}])
def test_traits_that_are_not_known(many, nothing):
    hold_tested(retention(changed(many, "customers", **nothing)), *RETENTION)


@pytest.mark.parametrize("n_customers", [12, 80])
def test_hardly_any_customers(n_customers):
    found = retention(draw(World(), n_customers, 3))
    assert not DECIDED & {finding.verdict for finding in found.values()}
    assert "needed" in found["H22"].reason


def test_nobody_leaves():
    found = retention(draw(World(lapse_hazard=0.0), 1_200, 1))
    for name in ("H18", "H19", "H20", "H21"):
        hold_open(found[name], "lost")
    hold_tested(found, "H22")


def test_customers_who_never_bought_are_not_called(many, whole, reports):
    never = set(many["customers"]["customer_id"][::3])
    without = sold(many, ~many["transactions"]["customer_id"].isin(never))
    found = retention(without)
    hold_tested(found, "H17", "H19", "H20", "H21")
    hold_same(found, whole, "H22")
    assert not never & called(without, reports)


def test_ids_of_any_writing(many, whole, reports):
    ids = many["customers"]["customer_id"]
    strange = "客户 '" + ids + '", "; --'
    names = dict(zip(ids, strange, strict=True))
    renamed = {name: table.assign(customer_id=table["customer_id"].map(names))
               for name, table in many.items()}  # fmt: skip
    hold_same(retention(renamed), whole, *RETENTION)
    assert called(renamed, reports) <= set(strange)


def test_without_losses_nobody_is_to_be_called(reports):
    with pytest.raises(NotEstimable, match="No list: nobody"):
        called(draw(World(lapse_hazard=0.0), 300, 1), reports)


def called(tables, reports):
    """Return the customers to call, from the file that their notebook writes."""
    here = rehearsal.region_of(tables)
    given = {"region": here.name, "source": here.source.name, "language": "en", "seed": 1}
    for _ in rehearsal.perform(CALLS, {}, given, here):
        pass
    rows = pd.read_csv(reports / "simulated" / "Example" / f"{CALLS.stem}_customers_to_call.csv")
    assert 0 < len(rows) <= 100
    return set(rows["customer_id"])
