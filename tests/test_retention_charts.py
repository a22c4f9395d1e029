"""Pictures of customers who stay or leave: what they say, what they draw, and odd data."""

import warnings
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import rc_context
from matplotlib.collections import FillBetweenPolyCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text

from analysis.cohorts.churn import FACTOR
from analysis.figures import charts, display, marks, retention_charts, survey_charts
from analysis.figures import theme as figures
from analysis.statistics import prediction
from analysis.statistics.estimate import Estimate
from analysis.statistics.regression import models, survival

FIGURES = []
NAN = float("nan")


def keep(fig):
    """Keep every figure that pyplot makes (a hook of matplotlib)."""
    FIGURES.append(fig)


@pytest.fixture(autouse=True, scope="module")
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def theme():
    with rc_context():
        figures.use_theme("en")
        plt.rcParams["figure.hooks"] = [f"{__name__}:keep"]
        yield
    FIGURES.clear()
    plt.close("all")


def html(name, *args):
    """Return what a chart displays; a warning is an error."""
    with capture_output() as captured, warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ResourceWarning)  # of kernels of other tests
        home = charts if hasattr(charts, name) else retention_charts
        getattr(home, name)(*args, "A caption")
    (output,) = captured.outputs
    return output.data["text/html"]


def drawn(name, *args):
    """Return the alternative text of a chart and its axes; one if there is only one."""
    image = BeautifulSoup(html(name, *args), "html.parser").img
    assert int(image["width"]) <= 720
    axes = FIGURES[-1].axes
    return image["alt"], axes[0] if len(axes) == 1 else axes


def named(ax):
    """Return the lines that have a name, by name."""
    lines = {line.get_label(): line for line in ax.lines}
    return {name: line for name, line in lines.items() if not name.startswith("_")}


def curve(group, days, shares, low=NAN, high=NAN):
    table = {"group": group, "day": days, "share": shares, "ci_low": low, "ci_high": high}
    return pd.DataFrame(table).assign(at_risk=10, lost=1)


def many(n):
    """Return curves that all end at about the same place."""
    return pd.concat([curve(f"group {i}", [0, 90], [1, 0.5 + 0.01 * i]) for i in range(n)])


RULES = pd.DataFrame(
    {
        "limit_days": [56.0, 95.0, 150.0], "customers": [1200, 1150, 1000],
        "lost": [0.34, 0.193, 0.14], "returned": [0.41, 0.12, 0.05],
    },
    index=pd.Index([4, FACTOR, 16], name="factor"),
)  # fmt: skip
WEEKS = np.arange(26, -1, -1)
PATHS = pd.DataFrame(
    {
        "lost": np.log(0.2 + 0.03 * WEEKS), "lost_low": np.log(0.1), "lost_high": np.log(1.1),
        "stayed": np.log(1.0), "stayed_low": np.log(0.8), "stayed_high": np.log(1.25),
    },
    index=pd.Index(WEEKS, name="weeks_before"),
)  # fmt: skip
CURVE = pd.DataFrame(
    {
        "warned": [0.33, 0.51], "early": [0.11, 0.22], "lead_days": [19.0, 31.5],
        "any_week": [0.085, 0.164], "lost": [200, 200],
    },
    index=pd.Index([0.02, 0.1], name="false_alarms"),
)  # fmt: skip
CALIBRATION = pd.DataFrame(
    {
        "predicted": [0.05, 0.2], "observed": [0.06, 0.4], "ci_low": [0.03, 0.3],
        "ci_high": [0.11, 0.5], "customers": [100, 100],
    }
)  # fmt: skip
VISITS = pd.DataFrame(
    {"estimate": [2.14, 1.9, 1.2], "ci_low": [1.8, 1.7, 1.0], "ci_high": [2.4, 2.1, 1.4]},
    index=["A", "B", "C"],
)
PROMISED = {"A": 3.0, "B": 2.0, "C": 1.0}
CAMPAIGNS = pd.DataFrame(
    {
        "campaign": pd.to_datetime(["2024-01-05", "2024-06-05", "2024-03-01", "2024-09-01"]),
        "purpose": ["acquire", "acquire", "retain", "retain"],
        "cost_per_head": [100.0, 300.0, 10.0, np.inf],
    }
)
COSTS = {"acquire": Estimate(200, 100, 400, 2), "retain": Estimate(10, 5, 20, 1)}
LISTS = pd.DataFrame(
    {
        "lost": [30, 55], "in_time": [15, 11], "precision": [0.3, 0.55], "ci_low": [0.22, 0.45],
        "ci_high": [0.4, 0.64], "of_all": 0.2, "sales": 1e5,
    },
    index=pd.Index(["silence", "risk"], name="list"),
)  # fmt: skip


# --- survival


def test_survival_tells_and_draws_each_group():
    table = pd.concat(
        [
            curve("A", [0, 70, 140], [1, 0.8, 0.7], [NAN, 0.6, 0.5], [NAN, 0.9, 0.8]),
            curve("B", [0, 35, 105], [1, 0.45, 0.45], [NAN, 0.3, 0.3], [NAN, 0.6, 0.6]),
        ]
    )
    alt, ax = drawn("survival", table, "days followed")
    assert "after 105 days: A 80% (60% to 90%), B 45% (30% to 60%)." in alt
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("days followed", "still there")
    lines = named(ax)
    assert {name: line.get_xdata().tolist() for name, line in lines.items()} == {
        "A": [0, 70, 140], "B": [0, 35, 105]}  # fmt: skip
    assert all(line.get_drawstyle() == "steps-post" for line in lines.values())
    bands = [each for each in ax.collections if isinstance(each, FillBetweenPolyCollection)]
    assert [to_hex(band.get_facecolor()) for band in bands] == [
        line.get_color() for line in lines.values()
    ]
    heights = bands[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.5, 0.9)


def test_survival_begins_at_0_as_its_neighbours_do():
    table = curve("all", [0, 30], [1, 0.9995], [NAN, 0.87], [NAN, 1])
    _, ax = drawn("survival", table, "days")
    assert ax.get_ylim()[0] == 0
    assert ax.get_ylim()[1] >= 1


def test_names_at_the_ends_of_lines_do_not_overlap_and_are_not_cut():
    _, ax = drawn("survival", many(5), "days")
    ax.figure.set_dpi(2 * display.DISPLAY_DPI)
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == [f"group {i}" for i in range(5)]
    colours = [line.get_color() for line in named(ax).values()]
    assert [text.get_color() for text in ax.texts] == colours
    assert len(set(colours)) == 5
    assert all(low.y1 <= high.y0 for low, high in pairwise(boxes))
    assert all(ax.bbox.x1 < box.x0 and box.x1 <= ax.figure.bbox.x1 for box in boxes)


def test_more_than_five_groups_are_named_in_a_legend_and_all_differ():
    _, ax = drawn("survival", many(11), "days")
    assert not ax.texts
    words = [text.get_text() for text in ax.get_legend().get_texts()]
    assert sorted(words) == sorted(f"group {i}" for i in range(11))
    looks = {(line.get_color(), line.get_linestyle()) for line in named(ax).values()}
    assert len(looks) == 11


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), max_size=5))
def test_heights_are_a_gap_apart_inside_and_moved_only_if_needed(heights):
    heights = np.array(heights)
    moved = marks._apart(heights, 0.08)
    order = np.argsort(heights, kind="stable")
    assert (np.diff(moved[order]) >= 0.08 - 1e-9).all()
    assert ((moved >= -1e-9) & (moved <= 1 + 1e-9)).all()
    if (np.diff(heights[order]) >= 0.08).all():
        np.testing.assert_allclose(moved, heights, atol=1e-9)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ({"stop": [50, 200, 300], "lost": [1, 1, 0], "group": "one"}, "300 days: one 33%"),
        ({"stop": [200, 300, 400], "lost": [1, 0, 0], "group": [*"abb"]}, "200 days: a 0%, b 100%"),
        ({"stop": [300, 400], "lost": [0, 0], "group": [*"ab"]}, "300 days: a 100%, b 100%"),
    ],
)
def test_survival_of_one_group_of_one_customer_and_of_nobody_lost(rows, told):
    curves = survival.curves(pd.DataFrame(rows), "stop", "lost", by="group")
    alt, ax = drawn("survival", curves, "days")
    assert told in alt
    assert len(named(ax)) == curves["group"].nunique()


def test_group_that_enters_after_the_last_common_day_is_told_as_unknown():
    late = curve("late", [200, 300], [1, 0.9])
    alt, _ = drawn("survival", pd.concat([curve("early", [0, 100], [1, 0.8]), late]), "days")
    assert "after 100 days: early 80%, late unknown." in alt


# --- rules and paths


def test_rules_tell_shares_and_mark_the_main_one():
    alt, axes = drawn("rules", RULES)
    assert f"{FACTOR} gaps (median 95 days): 19.3% of 1,150 lost, came back 12%" in alt
    assert [ax.get_ylabel() for ax in axes] == ["share lost", "came back, of the lost"]
    for ax, column in zip(axes, ("lost", "returned"), strict=True):
        assert ax.lines[0].get_xydata().tolist() == RULES[column].reset_index().values.tolist()
        marked = named(ax)["main rule"].get_ydata()
        np.testing.assert_array_equal(marked, [NAN, RULES[column][FACTOR], NAN])
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["4", str(FACTOR), "16"]


def test_rules_without_anybody_lost_or_without_the_main_rule():
    alt, axes = drawn("rules", RULES.assign(lost=0.0, returned=NAN))
    assert "0.0% of 1,200 lost, came back unknown" in alt
    assert axes[0].get_xlim() == axes[1].get_xlim()
    _, axes = drawn("rules", RULES.drop(index=FACTOR))
    assert np.isnan(named(axes[0])["main rule"].get_ydata()).all()


def test_paths_are_shares_of_the_usual_volume_on_a_logarithmic_axis():
    alt, ax = drawn("before_the_end", PATHS.sort_index())
    assert "26 and 0 weeks before" in alt
    assert "lost 98%, then 20% (quartiles 10% and 110%)" in alt
    assert "stayed 100%, then 100% (quartiles 80% and 125%)" in alt
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "weeks before the last purchase", "share of usual volume")  # fmt: skip
    assert ax.get_xlim() == (26, 0)
    assert named(ax)["lost"].get_ydata()[-1] == pytest.approx(0.2)
    assert [text.get_text() for text in ax.texts] == ["lost", "stayed"]
    assert "20%" in [tick.get_text() for tick in ax.get_yticklabels()]


def test_volume_of_nothing_is_drawn_at_the_least_and_told_as_nothing():
    alt, ax = drawn("before_the_end", PATHS.assign(lost=-np.inf, lost_low=-np.inf))
    assert "lost 0%, then 0%" in alt
    assert set(named(ax)["lost"].get_ydata()) == {retention_charts.LEAST}
    assert "(5%: or less)" in ax.get_ylabel()


def test_paths_without_anybody_lost():
    alt, ax = drawn("before_the_end", PATHS.assign(lost=NAN, lost_low=NAN, lost_high=NAN))
    assert "lost unknown, then unknown (quartiles unknown and unknown), stayed 100%" in alt
    assert [text.get_text() for text in ax.texts] == ["stayed"]


def test_alarm_curve_tells_and_draws_what_is_told_of_the_lost_and_of_who_stay():
    alt, axes = drawn("alarm_curve", CURVE, 28.0)
    assert "2%: 33% of the lost under alarm, 11% for 28 days or more, median lead 19 days, " in alt
    assert "10%: 51% of the lost under alarm, 22% for 28" in alt
    assert "median lead 32 days, 16% of those who stay in any week." in alt
    lines = named(axes[0])
    assert list(lines) == ["lost: under alarm", "lost: 28 days early", "staying: any week"]
    assert [line.get_ydata().tolist() for line in lines.values()] == [
        CURVE[name].tolist() for name in ("warned", "early", "any_week")
    ]
    assert all(line.get_xdata().tolist() == [0.02, 0.1] for line in lines.values())
    claimed, lead = axes[1].lines
    assert claimed.get_ydata()[0] == 28
    assert lead.get_ydata().tolist() == [19, 31.5]
    assert [ax.get_ylabel() for ax in axes] == ["share of customers", "median lead in days"]
    assert {ax.get_xlabel() for ax in axes} == {"false alarms at a landmark"}


def test_alarm_curve_without_anybody_lost():
    alt, axes = drawn("alarm_curve", CURVE.assign(warned=NAN, early=NAN, lead_days=NAN), 28.0)
    assert "2%: unknown of the lost under alarm, unknown for 28 days or more, median lead " in alt
    assert axes[1].get_ylim()[1] > 28


# --- calibration and overlap


def test_calibration_has_equal_axes_and_counts_intervals_that_hold_the_prediction():
    alt, ax = drawn("calibration", CALIBRATION)
    assert "5.0% and 6.0%, 20.0% and 40.0%" in alt
    assert "holds the prediction in 1 of 2 groups" in alt
    assert ax.get_xlim() == ax.get_ylim() == pytest.approx((0, 0.525))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted share lost", "observed share lost")
    diagonal, dots = ax.lines
    assert (diagonal.get_xdata() == diagonal.get_ydata()).all()
    assert dots.get_xydata().tolist() == [[0.05, 0.06], [0.2, 0.4]]
    assert [each.vertices[:, 1].tolist() for each in ax.collections[0].get_paths()] == [
        [0.03, 0.11], [0.3, 0.5]]  # fmt: skip


def test_calibration_of_one_group_without_anybody_lost_or_without_bounds():
    table = prediction.calibration([0.0, 0.0], [0, 0], groups=1)
    alt, ax = drawn("calibration", table)
    assert "0.0% and 0.0%" in alt
    assert ax.get_yticklabels()[0].get_text() == "0%"
    alt, _ = drawn("calibration", CALIBRATION.assign(ci_low=NAN, ci_high=NAN))
    assert "in 0 of 2 groups" in alt


def test_overlap_tells_what_lies_beyond_the_other_arm():
    chance = [0.2, 0.4, 0.6, 0.9, 0.1, 0.3, 0.5, 0.7, 0.15]
    treated = [True] * 4 + [False] * 5
    alt, ax = drawn("overlap", chance, treated, ("card", "no card"))
    assert "card: 0.200 to 0.900, 25.0% above and 0.0% below all of no card." in alt
    assert "no card: 0.100 to 0.700, 0.0% above and 40.0% below all of card." in alt
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("estimated probability", "share of the group")
    steps = {each.get_label(): each.get_data() for each in ax.patches if each.get_label()}
    card, other = steps["card (4)"], steps["no card (5)"]
    assert card.values.sum() == pytest.approx(1) == other.values.sum()
    assert card.edges.tolist() == other.edges.tolist()
    assert (card.edges[0], card.edges[-1]) == (0.1, 0.9)


def test_overlap_with_one_arm_one_value_and_missing_probabilities():
    alt, ax = drawn("overlap", np.array([0.3, 0.3, NAN]), np.ones(3), ("card", "no card"))
    assert "card: 2 customers. no card: 0 customers." in alt
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["card (2)", "no card (0)"]


# --- visits, costs and lists


def test_visits_stand_beside_the_promise_and_what_is_near_it():
    alt, ax = drawn("visits", VISITS, PROMISED)
    assert "A 2.1 (1.8 to 2.4), promised 3; B 1.9 (1.7 to 2.1), promised 2" in alt
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("tier", "visits a month")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["A", "B", "C"]
    assert [(bar.get_y(), bar.get_height()) for bar in ax.patches] == [(2.5, 1), (1.5, 1), (0.5, 1)]
    lines = named(ax)
    assert lines["promised"].get_ydata().tolist() == [3, 2, 1]
    assert lines["visited"].get_ydata().tolist() == [2.14, 1.9, 1.2]
    assert ax.get_ylim()[0] == 0


def test_visits_of_one_tier_without_bounds_or_promise():
    table = VISITS.iloc[:1].assign(ci_low=NAN, ci_high=NAN)
    assert "A 2.1 (unknown to unknown), promised 3." in drawn("visits", table, PROMISED)[0]
    assert "A 2.1 (unknown to unknown), promised unknown." in drawn("visits", table, {})[0]


def test_costs_have_what_was_found_for_each_purpose():
    alt, ax = drawn("costs", CAMPAIGNS, COSTS)
    found = "acquire 200 (100 to 400), campaigns: 2; retain 10.0 (5.00 to 20.0), campaigns: 1."
    assert found in alt
    assert "Campaigns not shown: 1." in alt
    assert (ax.get_yscale(), ax.get_ylabel()) == ("log", "cost per head, logarithmic")
    assert {name: line.get_ydata().tolist() for name, line in named(ax).items()} == {
        "acquire": [200, 200], "retain": [10, 10]}  # fmt: skip
    dots = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "o"]
    assert dots == [[100, 300], [10]]
    assert {text.get_text() for text in ax.texts} == {"acquire", "retain"}
    assert "50" in [tick.get_text() for tick in ax.get_yticklabels()]


@pytest.mark.parametrize("costs", [(10, 3000), (300, 800), (240, 270)])
def test_costs_far_apart_or_near_each_other_have_a_few_ticks(costs):
    _, ax = drawn("costs", CAMPAIGNS.iloc[:2].assign(cost_per_head=costs), COSTS)
    low, high = ax.get_ylim()
    assert 3 <= sum(low <= tick <= high for tick in ax.get_yticks()) <= 10


def test_costs_of_one_campaign_and_of_none():
    assert "acquire 200 (100 to 400), campaigns: 1." in drawn("costs", CAMPAIGNS.iloc[:1], COSTS)[0]
    alt, ax = drawn("costs", CAMPAIGNS.assign(cost_per_head=[0, NAN, np.inf, 0]), {})
    assert "of no campaign. Campaigns not shown: 4." in alt
    assert not named(ax)


def test_lists_stand_beside_chance_the_first_on_top():
    alt, ax = drawn("lists", LISTS, 0.08)
    assert "silence 30% (22% to 40%), 15% in time, risk 55% (45% to 64%), 11% in time; " in alt
    assert "by chance 8.0%." in alt
    chance, dots, in_time = ax.lines
    assert (chance.get_xdata()[0], chance.get_linestyle()) == (0.08, "--")
    assert dots.get_xydata().tolist() == [[0.3, 1], [0.55, 0]]
    assert in_time.get_xydata() == pytest.approx(np.array([[0.15, 1], [0.11, 0]]))
    assert list(named(ax)) == ["lost", "of these, in time"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["silence", "risk"]
    assert [text.get_text() for text in ax.texts] == ["lost by chance"]
    assert ax.get_xlabel() == "share lost among the first on the list"
    assert ax.get_xlim()[0] == 0


def test_one_list_without_anybody_lost_bounds_or_chance():
    table = LISTS.iloc[:1].assign(lost=0, in_time=0, precision=0.0, ci_low=NAN, ci_high=NAN)
    alt, _ = drawn("lists", table, NAN)
    assert "silence 0% (unknown to unknown), 0% in time; by chance unknown." in alt


# --- all of them


@pytest.mark.parametrize(
    "chart",
    [
        ("survival", curve("货运车队", [0, 90], [1, 0.5], 0.4, 0.6), "days 天"),
        ("rules", RULES),
        ("before_the_end", PATHS),
        ("alarm_curve", CURVE, 28.0),
        ("calibration", CALIBRATION),
        ("overlap", [0.2, 0.4, 0.3], [1, 1, 0], ("持卡", "无卡")),
        ("visits", VISITS.rename(index={"A": "甲"}), {"甲": 3.0}),
        ("costs", CAMPAIGNS.assign(purpose="维护"), {"维护": COSTS["retain"]}),
        ("lists", LISTS.rename(index={"risk": "流失风险"}), 0.08),
    ],
    ids=lambda chart: chart[0],
)
def test_same_input_same_bytes_also_with_chinese_names(chart):
    if figures.chinese_font() is None:
        pytest.skip("No font with Chinese characters is installed.")
    first = html(*chart)
    assert len(first) > 5000
    assert html(*chart) == first
    assert not plt.get_fignums()


def test_an_interaction_says_what_it_draws_at_the_corners():
    """Slopes .2 and .1, product .3: at +2 and +2 the height is .4 + .2 + 1.2."""
    rng = np.random.default_rng(1)
    people = pd.DataFrame(rng.normal(size=(400, 2)), columns=["z_a", "z_b"])
    people.loc[0] = 5.0, 0.0
    height = 0.2 * people["z_a"] + 0.1 * people["z_b"] + 0.3 * people["z_a"] * people["z_b"]
    people["y"] = height + 1e-6 * rng.normal(size=400)
    fit = models.ols("y ~ 0 + z_a * z_b", people)
    with capture_output() as captured:
        survey_charts.interaction(fit, people, ("z_a", "z_b"), "loyalty", "A caption")
    alt = BeautifulSoup(captured.outputs[0].data["text/html"], "html.parser").img["alt"]
    assert "+1.8 SD where both are two standard deviations high" in alt
    assert "−1.0 and −1.4 SD where one of them is, +0.6 SD where both are low" in alt
    dots = FIGURES[-1].axes[0].lines[-1]
    inside = people[["z_a", "z_b"]].abs().max(axis=1) <= 2
    assert len(dots.get_xdata()) == inside.sum() < 400
