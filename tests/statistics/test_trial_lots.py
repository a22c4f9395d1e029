"""Assignment by lot: shares, blocks, the same for everybody who draws again; balance, ratios."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.statistics.trial.balance import balance, sample_ratio
from analysis.statistics.trial.lots import assigned, draw_lots, lot


def people(n, seed=0):
    rng = np.random.default_rng(seed)
    units = pd.DataFrame(
        {
            "tier": rng.choice(["gold", "plain", "silver"], n, p=[0.1, 0.7, 0.2]),
            "predicted": rng.gamma(1.0, size=n),
            "station": rng.integers(0, 40, n),
        },
        index=pd.Index([f"C{i:05}" for i in range(n)], name="customer_id"),
    )
    return units.assign(area=np.where(units["station"] < 20, "urban", "suburban"))


def test_each_block_and_all_together_have_their_share():
    units = people(1003)
    for share in (0.5, 0.3):
        found = draw_lots(units, 7, share=share, within=("tier", "area"), predicted="predicted")
        counts = found.groupby("block")["treated"].agg(["sum", "size"])
        assert len(counts) == 6 * 4
        assert (abs(counts["sum"] - share * counts["size"]) < 1).all()
        assert abs(found["treated"].sum() - share * 1003) < 1


def test_lots_follow_from_seed_and_identifier_alone():
    units = people(500)
    found = draw_lots(units, 7, within=("tier",), predicted="predicted")
    turned = draw_lots(
        units.sample(frac=1, random_state=1), 7, within=("tier",), predicted="predicted"
    )
    pd.testing.assert_frame_equal(found, turned.loc[found.index])
    assert (found["treated"] != draw_lots(units, 8, within=("tier",))["treated"]).mean() > 0.3
    digest = hashlib.sha256(b"7|C00012").hexdigest()
    assert lot(7, "C00012") == int(digest[:12], 16) / 16**12


def test_everybody_has_the_same_chance():
    """Five customers in two blocks, 3 of 10 treated: over many seeds each in 3 of 10."""
    blocks, rng = np.array([0, 0, 0, 1, 1]), np.random.default_rng(0)
    treated = [assigned(rng.random(5), blocks, 0.3, rng.random()) for _ in range(20_000)]
    assert np.mean(treated, axis=0) == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 20_000))
    assert set(np.sum(treated, axis=1)) == {1, 2}


def test_clusters_are_drawn_whole():
    units = people(900)
    found = draw_lots(units, 7, within=("area",), predicted="predicted", cluster="station", least=4)
    by_station = found.groupby("station").agg(["min", "max"])
    assert (by_station[("treated", "min")] == by_station[("treated", "max")]).all()
    stations = found.drop_duplicates("station").groupby("block")["treated"].agg(["sum", "size"])
    assert (stations["size"] == 5).all()
    assert len(stations) == 8
    assert found["treated"].groupby(found["station"]).first().sum() == 20


def test_small_combinations_are_one_block():
    units = people(60).assign(tier=["gold"] * 3 + ["silver"] * 3 + ["plain"] * 54)
    found = draw_lots(units, 7, within=("tier",))
    assert found["block"].iloc[:6].nunique() == 1
    assert found["block"].iloc[6:].nunique() == 1
    assert found["block"].nunique() == 2


def test_what_lots_cannot_be_drawn_for_is_said():
    units = people(20)
    cases = {
        "between 0 and 1, not at 1": (units, {"share": 1}),
        "stand once": (pd.concat([units, units]), {}),
        'no column "wave"': (units, {"within": ("wave",)}),
        'a value of "tier"': (units.assign(tier=None), {"within": ("tier",)}),
        "there are 1": (units.iloc[:1], {}),
        "leaves an arm with nobody": (units, {"share": 0.001}),
    }
    for sentence, (table, options) in cases.items():
        with pytest.raises(ValueError, match=sentence):
            draw_lots(table, 7, **options)


def test_balance_is_in_standard_deviations():
    units = people(400)
    units["treated"] = draw_lots(units, 7, within=("tier",), predicted="predicted")["treated"]
    found = balance(units, "treated", ["predicted", "tier"])
    one, other = (units["predicted"][units["treated"] == arm] for arm in (1, 0))
    expected = (one.mean() - other.mean()) / np.sqrt((one.var() + other.var()) / 2)
    assert found.loc["predicted", "difference"] == pytest.approx(expected)
    assert list(found.index) == ["predicted", "tier silver", "tier gold"]
    assert found["difference"].abs().max() < 0.1
    assert balance(units.assign(one=1.0), "treated", ["one"])["difference"].tolist() == [0.0]
    assert (
        list(balance(units, "treated", [])) == list(found) and balance(units, "treated", []).empty
    )


def test_sample_ratio_is_exact_for_two_arms():
    found = sample_ratio({"offer": 540, "control": 460}, {"offer": 0.5, "control": 0.5})
    assert found.p_value == pytest.approx(stats.binomtest(540, 1000, 0.5).pvalue)
    assert found.passed
    assert found.arms["expected"].tolist() == [500, 500]
    assert not sample_ratio({"offer": 570, "control": 430}, {"offer": 0.5, "control": 0.5}).passed
    three = {"a": 0.5, "b": 0.25, "c": 0.25}
    found = sample_ratio({"a": 50, "b": 20, "c": 30}, three)
    assert found.p_value == pytest.approx(stats.chi2.sf(2.0, 2))


def test_ratios_that_cannot_be_checked_are_refused():
    cases = {
        "must be the same": ({"a": 1, "b": 1}, {"a": 0.5, "c": 0.5}),
        "add up to 1": ({"a": 1, "b": 1}, {"a": 0.5, "b": 0.6}),
        "Nobody": ({"a": 0, "b": 0}, {"a": 0.5, "b": 0.5}),
    }
    for sentence, call in cases.items():
        with pytest.raises(ValueError, match=sentence):
            sample_ratio(*call)
