"""Intervals of a difference of shares: Newcombe's, and coverage where few are lost."""

import numpy as np
import pandas as pd
import pytest
from scipy import special
from statsmodels.stats.proportion import confint_proportions_2indep

from analysis.statistics.causal import treatment_effects

N_COVERAGE = 600


def two_groups(n, lost):
    """Return who was retained and treated, and a covariate that both arms have alike."""
    retained = np.concatenate([np.arange(size) >= some for size, some in zip(n, lost, strict=True)])
    treated = np.repeat([1.0, 0.0], n)
    alike = np.concatenate([np.resize([0.0, 1.0, 1.0, 0.0], size) for size in n])
    return retained.astype(float), treated, pd.DataFrame({"alike": alike})


@pytest.mark.parametrize("lost", [(8, 16), (40, 20), (4, 400)])
def test_without_confounding_the_interval_is_newcombes(lost):
    n = (2_000, 4_000)
    found = treatment_effects.aipw(*two_groups(n, lost), shares=True).effect
    stayed = [size - some for size, some in zip(n, lost, strict=True)]
    expected = confint_proportions_2indep(
        stayed[0], n[0], stayed[1], n[1], method="newcomb", compare="diff"
    )
    width = expected[1] - expected[0]
    assert [found.ci_low, found.ci_high] == pytest.approx(expected, abs=0.01 * width)
    assert found.df == 2_000 - 2


def test_the_effect_itself_is_the_same():
    groups = two_groups((300, 200), (30, 40))
    one, other = (
        treatment_effects.aipw(*groups).effect,
        treatment_effects.aipw(*groups, shares=True).effect,
    )
    assert one.estimate == other.estimate
    assert other.method.endswith("Wilson's intervals of both shares")


def few_lost(rng, n=(160, 40)):
    """Return 160 accounts visited as promised and 40 others; 10% of them are lost."""
    treated = np.repeat([1.0, 0.0], n)
    known = pd.DataFrame({"trait": rng.standard_normal(sum(n))})
    stays = special.expit(2.2 + 0.3 * known["trait"])
    return (rng.random(sum(n)) < stays).astype(float), treated, known


@pytest.mark.slow
def test_coverage_where_few_are_lost():
    """The symmetric interval covers 92% here."""
    rng, held = np.random.default_rng(2), []
    for _ in range(N_COVERAGE):
        region = few_lost(rng)
        if region[0][region[1] == 0].sum() < 40:  # else there is nothing to compare
            found = treatment_effects.aipw(*region, shares=True).effect
            held.append(found.ci_low <= 0 <= found.ci_high)
    assert 0.94 <= np.mean(held) <= 0.98
