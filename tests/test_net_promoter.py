"""The Net Promoter Score: closed form, and the coverage of its interval."""

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.estimate import NotEstimable
from analysis.statistics.measurement.net_promoter import by_group, net_promoter_score


def test_the_score_is_the_share_of_promoters_less_that_of_detractors():
    found = net_promoter_score(pd.Series([10, 9, 9, 8, 7, 6, 0, np.nan, 10, 10]))
    assert (found.estimate, found.n_obs) == (pytest.approx(100 * 3 / 9), 9)
    # 5 promoters and 2 detractors of 9 become 5.75 and 2.75 of 12.
    middle, both = 3 / 12, 8.5 / 12
    half = 1.959963985 * np.sqrt((both - middle**2) / 12)
    expected = [100 * (middle - half), 100 * (middle + half)]
    assert [found.ci_low, found.ci_high] == pytest.approx(expected, rel=1e-6)


def test_the_ends_lie_in_the_range_of_the_score():
    found = net_promoter_score(pd.Series([10.0] * 5))
    assert (found.estimate, found.ci_high) == (100, 100)
    assert 0 < found.ci_low < 100


def test_nobody_answered():
    with pytest.raises(NotEstimable, match="Nobody answered"):
        net_promoter_score(pd.Series([np.nan]))


@pytest.mark.parametrize("n", [15, 60, 400])
@pytest.mark.parametrize("shares", [(0.6, 0.3, 0.1), (0.85, 0.1, 0.05), (0.3, 0.3, 0.4)])
def test_the_interval_covers_the_truth_as_often_as_it_says(n, shares):
    rng, truth = np.random.default_rng(20260630), 100 * (shares[0] - shares[2])
    answers = np.array([10.0, 8.0, 3.0])
    hits = 0
    for _ in range(1000):
        drawn = pd.Series(np.repeat(answers, rng.multinomial(n, shares)))
        found = net_promoter_score(drawn)
        hits += found.ci_low <= truth <= found.ci_high
    assert 930 <= hits <= 975


def test_each_group_has_its_score_and_so_have_all():
    answers = pd.Series({"a": 10, "b": 0, "c": 9, "d": np.nan, "e": 10})
    groups = pd.Series(
        {"a": "van", "b": "van", "c": "private", "d": "private", "e": None, "z": "x"}
    )
    found = by_group(answers, groups)
    assert found["estimate"].to_dict() == {"all": 50, "private": 100, "van": 0}
    assert found["answers"].tolist() == [4, 1, 2]
    assert by_group(pd.Series([np.nan]), groups).empty


@pytest.mark.parametrize("answer", [-5, 100])
def test_an_answer_off_the_scale_is_neither_promoter_nor_detractor(answer):
    with pytest.raises(ValueError, match="between 0 and 10"):
        net_promoter_score(pd.Series([9.0, answer]))
