"""Pictures of survey answers: what they say they draw."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import rc_context

from analysis.figures import charts, survey_charts
from analysis.statistics.estimate import Estimate

CURVE = pd.DataFrame(
    {
        "estimate": [0.1, 0.3],
        "ci_low": [0.0, 0.2],
        "ci_high": [0.2, 0.4],
        "n_obs": 100,
        "main": [True, False],
        "traits": [True, False],
        "none": [False, True],
    }
)
FIGURES = []


def keep(fig):
    """Keep every figure that pyplot makes (a hook of matplotlib)."""
    FIGURES.append(fig)


@pytest.fixture(autouse=True, scope="module")
def shell():
    InteractiveShell.instance()
    yield
    InteractiveShell.clear_instance()


def said(**main):
    with capture_output() as captured:
        survey_charts.specifications(CURVE, "SD", "A curve.", **main)
    return BeautifulSoup(captured.outputs[0].data["text/html"], "html.parser").img["alt"]


def test_the_main_mark_of_a_curve_is_the_estimate_that_is_pooled_over_imputations():
    assert "from 0.10 to 0.30" in said()
    before = CURVE.copy()
    assert "from 0.30 to 0.50, median 0.40. 100% of 2 intervals lie above 0" in said(
        main=Estimate(0.5, 0.4, 0.6, 100)
    )
    pd.testing.assert_frame_equal(CURVE, before)


def test_a_curve_says_what_is_counted_when_choices_agree():
    """All estimates share a sign, but only half of the intervals say so."""
    assert "50% of 2 intervals hold 0, no effect, as the main one does." in said()
    above = Estimate(0.2, 0.1, 0.3, 100)
    wide = CURVE.assign(ci_low=[0.0, -0.2])
    with capture_output() as captured:
        survey_charts.specifications(wide, "SD", "A curve.", main=above)
    html = captured.outputs[0].data["text/html"]
    assert html.count("50% of 2 intervals lie above 0, no effect, as the main one does.") == 2
    assert "sign" not in html and "agree" not in html
    below = said(main=Estimate(0.7, 0.6, 0.8, 100), null=1.0)
    assert "100% of 2 intervals lie below 1, no effect" in below
    assert "hold 0, nothing bought, as the main" in said(nothing="nothing bought")


def test_shares_of_a_grid_have_their_ranges_in_the_cells():
    """0.5 with a standard error of 0.05 is 40% to 60%."""
    shares = pd.DataFrame({"low": [0.5, 0.2], "high": [0.3, 0.1]}, index=["high", "low"])
    with rc_context({"figure.hooks": [f"{__name__}:keep"]}), capture_output() as captured:
        charts.grid(shares, ("price", "service"), "A grid.", 0 * shares + 0.05)
    kept = [each.get_text() for each in FIGURES.pop().axes[0].texts]
    assert kept == ["50% (40% to 60%)", "30% (20% to 40%)", "20% (10% to 30%)", "10% (0% to 20%)"]
    alt = BeautifulSoup(captured.outputs[0].data["text/html"], "html.parser").img["alt"]
    assert "the largest, 50% (40% to 60%), is at service high and price low" in alt
