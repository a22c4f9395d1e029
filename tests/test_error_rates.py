"""Error rates of the notebooks' verdicts, in worlds whose truth is known.

The notebooks' own cells run for many small regions; nothing of them is repeated here. Set
CALIBRATION_REPLICATES to draw more regions than the few that a test can afford; `make calibrate`
measures all of it at full length.
"""

import os

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.claims import across_regions, calibration, findings
from analysis.claims.hypotheses import hypothesis
from analysis.statistics.estimate import LINKS
from analysis.statistics.regression import models
from analysis.statistics.value import customer_segments
from simulation import World, draw, error_rates, rehearsal
from simulation.rehearsal import END
from simulation.scenes import ADDED, CASES, PLANTED, RETENTION, SCENES, SURVEY, VALUE, Scene
from simulation.world import REGIONS, region_seed, regional_worlds

pytestmark = pytest.mark.slow

REPLICATES = int(os.environ.get("CALIBRATION_REPLICATES", "6"))
TRAP_REPLICATES = max(3, REPLICATES // 3)
CUSTOMERS = 1_000
TRUTH_CUSTOMERS = 80_000
SHORTFALL = {"H12": 0.02}  # of coverage below 95%, in heavy tails
TESTED = (*SURVEY, "H08", "H09", "H10", *VALUE, *RETENTION, *ADDED)  # H11 needs larger regions
PARTS = [(name, part.key) for name in TESTED for part in hypothesis(name).parts]
EACH = 1 if "CALIBRATION_REPLICATES" in os.environ else 7  # every seventh is what a test can afford
MISLEADING = [scene for scene in SCENES if scene.name != PLANTED]
KEEPING = [scene for scene in MISLEADING if set(scene.hypotheses) & set(RETENTION)]
TRAPS = [scene for scene in MISLEADING if scene not in KEEPING][::EACH]
LARGE = 3_000  # in smaller ones a card can't be tested, and what is not tested can't be wrong
LARGE_REPLICATES = max(5, REPLICATES // 3)
UNTRUSTED = ("nobody leaves", "the loyal", "visits keep", "campaigns go", "customers pause")
UNTRUSTED += ("rough purchases", "nothing keeps customers, and")  # intervals may miss there
ATTACHED = next(each for each in SCENES if each.name.startswith("a hidden attachment moves card"))
OF_RETENTION = [scene for scene in KEEPING if scene is not ATTACHED][::EACH]
KEEPERS = ["H19", "H20", "H21"]
EXAMPLE = (*SURVEY, *CASES, *RETENTION)
ALL = (*EXAMPLE, *VALUE, *ADDED)
REGIONS_ALIKE = 10


def most(rate, n):
    """How many of n regions may be hit by what should hit this share of them."""
    return stats.binom.ppf(0.9995, n, rate)


@pytest.fixture(scope="module")
def planted():
    scene = Scene(PLANTED, World(), (*SURVEY, *CASES, *VALUE, *RETENTION, *ADDED))
    return error_rates.planted(scene, TRUTH_CUSTOMERS)


@pytest.fixture(scope="module")
def drawn():
    return error_rates.rehearse(Scene(PLANTED, World(), TESTED), CUSTOMERS, REPLICATES)


def rows_of(table, name, key):
    rows = table[(table["hypothesis"] == name) & (table["part"] == key)]
    return rows.dropna(subset=["estimate"])


def joint(table, name):
    """Return the verdict on a hypothesis in every region."""
    return table[table["hypothesis"] == name].drop_duplicates("replicate")["verdict"]


@pytest.mark.parametrize(("name", "key"), PARTS)
def test_estimates_are_unbiased(drawn, planted, name, key):
    """Within a tenth of the effect: those who answer are the more satisfied, by design."""
    part = next(part for part in hypothesis(name).parts if part.key == key)
    found, true = rows_of(drawn, name, key)["estimate"], planted[name, key]
    if len(found) < REPLICATES / 2:
        pytest.skip(f"{name} could be tested in {len(found)} of {REPLICATES} small regions only")
    errors = stats.t.ppf(0.9998, len(found) - 1)
    room = errors * found.std() / np.sqrt(len(found)) + 0.1 * abs(true - part.null)
    assert abs(found.mean() - true) < room


@pytest.mark.parametrize(("name", "key"), PARTS)
def test_intervals_hold_the_truth(drawn, planted, name, key):
    found, true = rows_of(drawn, name, key), planted[name, key]
    if len(found) < REPLICATES / 2:
        pytest.skip(f"{name} could be tested in {len(found)} of {REPLICATES} small regions only")
    held = (found["ci_low"] <= true) & (true <= found["ci_high"])
    nominal = 0.95 - SHORTFALL.get(name, 0)
    assert (~held).sum() <= most(1 - nominal, len(found))


@pytest.mark.parametrize("name", TESTED)
def test_verdicts_are_rarely_wrong(drawn, planted, name):
    wrong = error_rates.wrong(joint(drawn, name), name, planted)
    assert wrong.sum() <= most(0.025, REPLICATES)


@pytest.mark.parametrize("scene", TRAPS, ids=lambda scene: scene.name)
def test_worlds_made_to_mislead_rarely_do(scene):
    found = error_rates.rehearse(scene, CUSTOMERS, TRAP_REPLICATES)
    true = error_rates.planted(scene, TRUTH_CUSTOMERS // 2)
    for name in scene.hypotheses:
        wrong = error_rates.wrong(joint(found, name), name, true)
        assert wrong.sum() <= most(0.025, TRAP_REPLICATES)


@pytest.mark.parametrize("scene", OF_RETENTION, ids=lambda scene: scene.name)
def test_worlds_made_to_mislead_about_retention_rarely_do(scene):
    """Enough regions can be tested for the limit to be passed."""
    found = error_rates.rehearse(scene, LARGE, LARGE_REPLICATES)
    true, limit = error_rates.planted(scene, TRUTH_CUSTOMERS // 2), most(0.025, LARGE_REPLICATES)
    for name in scene.hypotheses:
        verdicts = joint(found, name)
        assert (verdicts != "not testable").sum() > limit
        assert error_rates.wrong(verdicts, name, true).sum() <= limit
    if not scene.name.startswith(UNTRUSTED):
        assert (missed(found, true) <= most(0.05, LARGE_REPLICATES)).all()


def test_a_hidden_attachment_misleads_neither_regions_nor_their_pool():
    """It moves all of them together, and pooling takes away only the width of the intervals."""
    true, records, rows = error_rates.planted(ATTACHED, TRUTH_CUSTOMERS // 2), [], []
    for seed in range(4_000, 4_004):
        here = rehearsal.region_of(draw(ATTACHED.world, LARGE, seed))
        found = {key: rehearsal.run(key, here)[0] for key in ("H16", *KEEPERS)}
        records += [each.record() | {"region": str(seed)} for each in found.values()]
        rows += [
            {"hypothesis": key, "verdict": each.verdict}
            | {part: one.estimate for part, one in each.estimates.items()}
            for key, each in found.items()
        ]
    regions = pd.DataFrame(rows).groupby("hypothesis")
    assert regions["retention"].mean()["H16"] > 0.05  # the trap is real: nothing is kept by it
    pools = across_regions.pooled(findings.tidy(records), findings.variants(records))
    for key in ("H16", *KEEPERS):
        own = regions.get_group(key)["verdict"]
        assert error_rates.wrong(own, key, true).sum() <= most(0.025, len(own))
        verdict = pools.loc[pools["hypothesis"] == key, "verdict"].drop_duplicates()
        assert not error_rates.wrong(verdict, key, true).any()


def missed(found, true):
    """Return in how many regions each part's interval misses the truth."""
    told = found.dropna(subset=["estimate"])
    value = [true[pair] for pair in zip(told["hypothesis"], told["part"], strict=True)]
    misses = (told["ci_low"] > value) | (told["ci_high"] < value)
    return misses.groupby([told["hypothesis"], told["part"]]).sum()


class TestTheNaiveAnswerIsMisled:
    """The traps are real: what a first look would say is wrong in the same worlds."""

    def test_by_difficult_cases_that_take_longer(self):
        scene = next(scene for scene in SCENES if scene.without)
        here = rehearsal.region_of(draw(scene.world, 3_000, 5), scene.without)
        found, _ = rehearsal.run("H08", here)
        policy = found.estimates["policy"]
        assert policy.ci_low > 0.05  # of an effect that is not there
        assert found.verdict == "inconclusive"

    def test_by_speed_that_is_taken_for_the_promise(self):
        scene = next(scene for scene in SCENES if scene.name.startswith("speed matters"))
        here = rehearsal.region_of(draw(scene.world, 3_000, 6))
        found, known = rehearsal.run("H08", here)
        assert known["raw"].ci_low > 0.05
        assert found.estimates["jump"].ci_low < 0.15

    def test_by_customers_who_complain_because_they_are_leaving(self):
        scene = next(scene for scene in SCENES if scene.name.startswith("the dissatisfied"))
        found, naive = [], []
        for seed in range(4):
            here = rehearsal.region_of(draw(scene.world, 3_000, seed))
            shown, known = rehearsal.run("H10", here)
            found.append(shown.estimates["retention"].estimate)
            naive.append(known["naive"].estimate)
        assert np.mean(naive) < np.mean(found) - 0.02

    def test_by_frequent_customers_who_buy_everything_more_often(self):
        scene = next(scene for scene in SCENES if scene.name == "no effect on purchases")
        here = rehearsal.region_of(draw(scene.world, 3_000, 7))
        _, known = rehearsal.run("H16", here)
        differences = known["differences"]["value_after"]
        assert differences["raw"].estimate > 0.10
        assert abs(differences["adjusted"].estimate) < 0.10

    def test_by_a_card_that_only_those_can_have_who_stayed(self):
        """Immortal time: with a card that does nothing, "ever had one" halves the hazard."""
        scene = next(scene for scene in SCENES if scene.name == "nothing keeps customers")
        here = rehearsal.region_of(draw(scene.world, 3_000, 8))
        found, known = rehearsal.run("H19", here)
        naive = models.contrast(known["naive"], "ever")
        assert naive.ci_high < 0.85
        hazard = found.estimates["hazard_ratio"]
        assert hazard.ci_low < 1 < hazard.ci_high

    def test_by_loyal_customers_who_take_the_card(self):
        scene = next(scene for scene in SCENES if scene.name == "the loyal take the card")
        here = rehearsal.region_of(draw(scene.world, 3_000, 9))
        found, known = rehearsal.run("H19", here)
        assert known["retention"].ci_low > 0.02  # of an effect that is not there
        assert found.verdict == "inconclusive"
        assert known["strong"].benchmark in ("satisfaction", "loyalty")

    def test_by_silences_of_customers_who_buy_rarely(self):
        """With nobody leaving, the time since the last purchase alone has a high AUC."""
        scene = next(scene for scene in SCENES if scene.name == "nobody leaves")
        here = rehearsal.region_of(draw(scene.world, 3_000, 10))
        found, known = rehearsal.run("H17", here)
        assert models.contrast(known["alone"], "recency").ci_low > 1.2
        assert known["areas"]["recency alone"].estimate > 0.6
        assert found.verdict != "supported"

    def test_by_a_window_that_runs_up_to_the_end(self):
        scene = next(scene for scene in SCENES if scene.name.startswith("strong seasons"))
        here = rehearsal.region_of(draw(scene.world, 3_000, 11))
        found, known = rehearsal.run("H18", here)
        assert known["up_to_the_end"].estimate > found.estimates["auc"].estimate
        assert found.verdict in ("contradicted", "too small to matter")

    def test_by_visits_to_those_who_are_at_risk(self):
        """Visits keep accounts, and the difference between visited and not hides most of it."""
        scene = next(scene for scene in SCENES if scene.name.startswith("visits keep"))
        true, naive, verdicts = error_rates.planted(scene, TRUTH_CUSTOMERS // 2), [], []
        for seed in range(13, 19):
            here = rehearsal.region_of(draw(scene.world, 3_000, seed))
            found, known = rehearsal.run("H20", here)
            share = known["accounts"].groupby("as_promised")["retained"].mean()
            naive.append(share[1] - share[0])
            verdicts.append(found.verdict)
        assert np.mean(naive) < true["H20", "retention"] - 0.02
        assert error_rates.wrong(pd.Series(verdicts), "H20", true).sum() <= most(0.025, 6)

    def test_by_newcomers_who_are_taken_for_growth(self):
        """Without a stage of their own they pass for growing, and the others for declining."""
        scene = next(scene for scene in SCENES if scene.name.startswith("many newcomers"))
        here = rehearsal.region_of(draw(scene.world, 3_000, 13))
        _, known = rehearsal.run("H15", here)
        staged, long_ago = known["staged"], pd.Series(10_000, known["staged"].index)
        naive = customer_segments.lifecycle_stage(
            staged["sales_first"], staged["sales_second"], long_ago, forming_days=180
        )
        assert (naive == "growing").mean() > 1.4 * (staged["stage"] == "growing").mean()
        old = staged["stage"] != "forming"
        declining = [(each[old] == "declining").mean() for each in (naive, staged["stage"])]
        assert declining[0] > declining[1] + 0.05

    def test_by_campaigns_to_customers_who_stay_anyway(self):
        scene = next(scene for scene in SCENES if scene.name.startswith("campaigns go to"))
        here = rehearsal.region_of(draw(scene.world, 3_000, 12))
        found, known = rehearsal.run("H21", here)
        assert known["ratio"].ci_low > 1  # nobody is kept: the true ratio is nothing
        assert found.verdict == "inconclusive"


def test_customers_who_are_all_alike_are_not_concentrated():
    """Two visits a month of the same amount: unequal by chance, and hardly over a year."""
    rng, first = np.random.default_rng(4_000), pd.Timestamp(END) - pd.Timedelta(days=363)
    for _ in range(REGIONS_ALIKE):
        counts = 1 + rng.poisson(23, 400)
        customer = np.repeat([f"C{i:03d}" for i in range(400)], counts)
        days = first + pd.to_timedelta(rng.integers(0, 364, len(customer)), unit="D")
        lines = pd.DataFrame({"customer_id": customer, "bought_at": days, "amount": 250.0})
        people = pd.DataFrame({"customer_id": np.unique(customer), "region": "Example"})
        here = rehearsal.region_of({"customers": people, "transactions": lines})
        found, known = rehearsal.run("H12", here)
        assert found.verdict == "contradicted"
        assert known["ginis"]["gini"].is_monotonic_decreasing
        assert known["ginis"]["gini"].loc[1] > 0.35 > 0.15 > known["ginis"]["gini"].loc[12]


def test_a_rehearsed_region_is_read_like_one_of_files(tmp_path):
    """The same tables, once through files and the reader, give the same finding."""
    from analysis.data.region import load_region

    tables = draw(World(), 400, 9)
    for name in ("customers", "survey", "complaints", "contacts"):
        tables[name].to_csv(tmp_path / f"{name}.csv", index=False)
    tables["transactions"].to_parquet(tmp_path / "transactions.parquet")
    files = {name: f"{name}.csv" for name in ("customers", "survey", "complaints", "contacts")}
    files["transactions"] = "transactions.parquet"
    toml = f"as_of = {END}\nfolder = '.'\n"
    toml += "".join(f"[{name}]\nfile = '{file}'\n" for name, file in files.items())
    (tmp_path / "same.toml").write_text(toml, encoding="utf-8")
    region = tables["customers"]["region"].iloc[0]
    read = load_region(str(tmp_path / "same.toml"), region)
    found = [
        rehearsal.run("H01", here)[0].estimates["performance"]
        for here in (read, rehearsal.region_of(tables))
    ]
    assert found[0].estimate == pytest.approx(found[1].estimate, abs=0.02)
    assert found[0].n_obs == found[1].n_obs


def test_the_engine_of_a_rehearsal_is_its_own():
    """Regions do not share a database: what one does can't reach another."""
    one, two = (rehearsal.region_of(draw(World(), 60, seed)) for seed in (1, 2))
    assert one.purchases.count().execute() != two.purchases.count().execute()
    assert isinstance(one.purchases, ibis.Table)


def test_the_calibration_command_replaces_the_lines_of_one_world(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "FILE", tmp_path / "calibration.csv")
    scene = Scene("a small world", World(), ("H06",), (300,))
    for replicates in (3, 4):
        for rows in error_rates.calibrate(replicates, n_draw=20_000, scenes=[scene]):
            calibration.write(calibration.merged(rows))
    found = pd.read_csv(calibration.FILE)
    assert found[["scene", "customers", "hypothesis", "part", "regions"]].values.tolist() == [
        ["a small world", 300, "H06", "told_ratio", 4]
    ]
    assert set(4 * found["coverage"]) <= {2, 3, 4}


@pytest.fixture(scope="module")
def example():
    """One row per part of every claim in each example region, a third as large: truth, estimate."""
    rows = []
    for name, world in regional_worlds().items():
        here = rehearsal.region_of(draw(world, REGIONS[name] // 3, region_seed(name)))
        found = {key: rehearsal.run(key, here)[0] for key in ALL}
        true = error_rates.planted(Scene(name, world, ALL), TRUTH_CUSTOMERS // 2)
        for (key, part), value in true.items():
            same = {"region": name, "hypothesis": key, "part": part, "true": value}
            same |= {"verdict": found[key].verdict, "found": found[key].estimates.get(part)}
            rows.append(same | {"record": found[key].record() | {"region": name}})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def example_intervals(example):
    """The same of the claims whose example regions are like those of the calibration."""
    return example[example["hypothesis"].isin(EXAMPLE)].dropna(subset=["found"])


def holds(row, level=0.95):
    each = row.found.at_level(level)
    return each.ci_low <= row.true <= each.ci_high


def test_all_parts_are_estimated_in_the_largest_example_region(example_intervals):
    name = max(REGIONS, key=REGIONS.get)
    largest = example_intervals[example_intervals["region"] == name]
    wanted = {(key, part.key) for key in EXAMPLE for part in hypothesis(key).parts}
    assert set(zip(largest["hypothesis"], largest["part"], strict=True)) == wanted


def test_intervals_of_the_example_regions_hold_the_planted_values(example_intervals):
    """Of 95% intervals about one in twenty misses; hardly any misses at 99.9%."""
    rows = list(example_intervals.itertuples())
    assert sum(not holds(row) for row in rows) <= stats.binom.ppf(0.999, len(rows), 0.05)
    assert sum(not holds(row, 0.999) for row in rows) <= 1


def test_verdicts_on_the_example_regions_are_right(example_intervals):
    mistaken = []
    for (region, key), rows in example_intervals.groupby(["region", "hypothesis"]):
        true = {(key, row.part): row.true for row in rows.itertuples()}
        if error_rates.wrong(rows["verdict"], key, true).any():
            mistaken.append((region, key))
    assert len(mistaken) <= 1, mistaken


def test_pooled_example_regions_give_the_planted_mean_and_spread(example):
    """By the synthesis, as the notebook over all regions does; that of many is tested there."""
    records = example.drop_duplicates(["region", "hypothesis"])["record"].tolist()
    pools = across_regions.pooled(findings.tidy(records), findings.variants(records))
    planted, held, mistaken = example.set_index(["hypothesis", "part", "region"])["true"], [], []
    for key, parts in pools.dropna(subset=["estimate"]).groupby("hypothesis"):
        means = {}
        for row in parts.itertuples():
            link, inverse = LINKS[row.scale]
            true = link(planted[key, row.part][row.regions.split("; ")].to_numpy(float))
            low, high = link(row.ci_low), link(row.ci_high)
            spread = row.tau_low <= true.std(ddof=1) <= row.tau_high
            held.append((low <= true.mean() <= high, spread))
            means[key, row.part] = float(inverse(true.mean()))
        if error_rates.wrong(parts["verdict"], key, means).any():
            mistaken.append(key)
    assert len(held) >= 20
    assert (~np.array(held)).sum(axis=0).max() <= stats.binom.ppf(0.999, len(held), 0.05)
    assert not mistaken
