"""`workbook trial plan`: a page, a list and a plan that is registered once."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from analysis.claims.trials import plans, sizing, words
from analysis.claims.trials.designs import design
from analysis.data.errors import DataError
from analysis.language import use
from simulation.drawing.tables import draw
from simulation.world import World
from workbook.cli import app

EARLY = ("--as-of", "2025-06-30", "--size", 40)
"""Options of a plan without a past, which is quick: no size is computed."""
TABLES = ("customers", "survey", "complaints", "transactions", "contacts")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A source with one region, North 华北, of 400 customers."""
    root = tmp_path_factory.mktemp("source")
    (root / "ours").mkdir()
    for name, frame in draw(World("North 华北"), 400, 4).items():
        frame.to_parquet(root / "ours" / f"{name}.parquet", index=False)
    sections = "".join(f'[{name}]\nfile = "{name}.parquet"\n' for name in TABLES)
    (root / "ours.toml").write_text(f"as_of = 2026-06-29\ncalendar = 'CN'\n{sections}")
    return root / "ours.toml"


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(sizing, "REPLICATES", 10)
    yield
    use("en")


def planned(source, folder, *words_, claim="H19", region="North 华北"):
    given = ["trial", "plan", claim, "-s", str(source), "-r", region, "--folder", str(folder)]
    return CliRunner().invoke(app, [*given, *map(str, words_)], catch_exceptions=False)


def test_a_plan_has_a_page_a_list_and_a_registered_fingerprint(source, tmp_path):
    done = planned(source, tmp_path, "--seed", 7)
    assert done.exit_code == 0, done.output
    place = tmp_path / "ours" / "H19 North 华北"
    plan = plans.read("ours", "H19 North 华北", tmp_path)
    assert plans.is_unchanged(plan, tmp_path)
    assert (plan.seed, plan.data_until, plan.region) == (7, "2026-06-29", "North 华北")
    lots = pd.read_csv(place / plans.LIST)
    assert lots["arm"].value_counts().max() - lots["arm"].value_counts().min() <= 1
    assert len(lots) == plan.size
    page = (place / "plan.html").read_text(encoding="utf-8")
    for said in (
        plan.fingerprint,
        plan.lots,
        "Seed: 7",
        "Lin 2013",
        "The outcome is looked at once",
    ):
        assert said in page
    assert not set(lots["unit"]) & set(page.split())
    assert plan.needed > plan.size
    assert f"{plan.needed:,} units are needed" in done.output
    assert "alone is not worth it" in " ".join(done.output.split())


def test_the_same_call_gives_the_same_bytes(source, tmp_path):
    for name in ("one", "other"):
        assert planned(source, tmp_path / name, *EARLY).exit_code == 0
    one, other = (sorted((tmp_path / name).rglob("*.*")) for name in ("one", "other"))
    assert [path.name for path in one] == [
        "assignments.csv",
        "plan.html",
        "plan.json",
        "registered.csv",
    ]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_a_second_plan_is_refused_and_a_replaced_one_said(source, tmp_path):
    assert planned(source, tmp_path, *EARLY, "--seed", 1).exit_code == 0
    first = plans.read("ours", "H19 North 华北", tmp_path)
    with pytest.raises(DataError, match="a plan is registered"):
        planned(source, tmp_path, "--seed", 2)
    with pytest.raises(DataError, match="the seed 1 was tried already"):
        planned(source, tmp_path, "--seed", 1, "--replace")
    done = planned(source, tmp_path, *EARLY, "--seed", 2, "--replace")
    assert done.exit_code == 0
    second = plans.read("ours", "H19 North 华北", tmp_path)
    assert second.replaces == (first.fingerprint,)
    page = (tmp_path / "ours" / "H19 North 华北" / "plan.html").read_text(encoding="utf-8")
    assert f"This plan replaces 1 earlier one ({first.fingerprint})" in page


def test_a_region_is_known_by_its_first_word(source, tmp_path):
    assert planned(source, tmp_path, *EARLY, region="North").exit_code == 0
    assert plans.read("ours", "H19 North 华北", tmp_path).region == "North 华北"


def test_lots_of_cases_lie_ready(source, tmp_path):
    done = planned(source, tmp_path, "--size", 48, claim="H09")
    assert done.exit_code == 0, done.output
    lots = pd.read_csv(tmp_path / "ours" / "H09 North 华北" / plans.LIST)
    assert lots["unit"].isna().all()
    assert lots["arm"].value_counts().to_dict() == {"told": 24, "not_told": 24}


def test_without_a_past_the_size_is_the_team_s_own(source, tmp_path):
    done = planned(source, tmp_path, "--as-of", "2025-06-30", "--size", 100)
    assert done.exit_code == 0, done.output
    assert "do not reach back 455 days" in " ".join(done.output.split())
    plan = plans.read("ours", "H19 North 华北", tmp_path)
    assert (plan.needed, plan.power, plan.size) == (None, None, 100)


@pytest.mark.parametrize(
    ("claim", "options", "said"),
    [
        ("H12", (), "no trial is designed for this claim"),
        ("H19", ("--share", 2), "--share 2: expected a share from 0.05 to 0.95"),
        ("H19", ("--compliance", 1.2), "--compliance 1.2: expected a share from 0.05 to 1"),
        ("H19", ("--name", "../x"), "expected a name that can be that of a folder"),
        ("H20", ("--as-of", "2024-07-03"), "16 are needed"),
    ],
)
def test_what_can_not_be_planned_gets_one_message(source, tmp_path, claim, options, said):
    with pytest.raises(DataError, match=said):
        planned(source, tmp_path, *options, claim=claim)
    assert not list(tmp_path.rglob("*.json"))


def test_an_offer_that_costs_more_than_it_brings_is_not_worth_it():
    money = sizing.Money(cost=50.0, value=1000.0, brings=18.0, worth="margin", currency="CNY")
    [(_, said)] = words.of_money(money)
    assert said[-1] == "So an offer does not pay even then: the trial is not worth it."
    cheaper = sizing.Money(cost=5.0, value=1000.0, brings=18.0, worth="margin", currency="CNY")
    assert words.of_money(cheaper)[0][1][-1] == "So an offer pays if the claim is true."


def test_a_plan_in_chinese_has_no_english_sentence(source, tmp_path):
    assert planned(source, tmp_path, *EARLY, "-l", "zh").exit_code == 0
    place = tmp_path / "ours" / "H19 North 华北"
    page = (place / "plan.html").read_text(encoding="utf-8")
    assert "抽签" in page
    assert "Drawn by lot" not in page
    entry = json.loads((place / plans.PLAN).read_text(encoding="utf-8"))
    assert entry["design"]["drawn"] == design("H19").drawn
