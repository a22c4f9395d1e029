import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import rc_context
from matplotlib.colors import to_hex

from analysis.figures import display, fonts, marks, titles
from analysis.figures import theme as figures
from analysis.figures.theme import use_theme


@pytest.fixture(autouse=True)
def theme():
    InteractiveShell.instance()
    with rc_context():
        figures.use_theme("en")
        yield
    plt.close("all")


@pytest.fixture
def effects():
    table = {"estimate": [0.2, 0.3], "ci_low": [0.1, 0.1], "ci_high": [0.3, 0.5]}
    return pd.DataFrame(table, index=["main model", "no controls"])


def test_forest_draws_the_main_row_first_in_colour(effects):
    _, ax = plt.subplots()
    marks.forest(ax, effects, 0, (-0.1, 0.1), "SD")
    labels = {tick.get_position()[1]: tick.get_text() for tick in ax.get_yticklabels()}
    assert labels[max(labels)] == "main model"
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    places = {to_hex(dot.get_color()): float(dot.get_xdata()[0]) for dot in dots}
    assert places == {figures.BLUE: 0.2, figures.GREY: 0.3}
    assert ax.get_xlabel() == "SD"


def test_a_long_unit_is_not_cut_off_below_a_forest(effects):
    table = effects.set_axis(["what the lots say, of all who were drawn", "without lots"])
    fig, ax = plt.subplots(figsize=(7.2, 1.54))
    unit = "effect of what was received (percentage points still buying after a year)"
    marks.forest(ax, table, 0, None, unit)
    fig.canvas.draw()
    drawn = ax.xaxis.label.get_window_extent()
    assert ax.get_xlabel().replace("\n", " ") == unit
    assert 0 <= drawn.x0 < drawn.x1 <= fig.bbox.width


def test_lorenz_reads_the_curve_at_the_mark():
    _, ax = plt.subplots()
    curve = pd.DataFrame({"share_customers": [0, 0.2, 1], "share_sales": [0, 0.8, 1]})
    marks.lorenz(ax, curve, mark=0.1)
    assert [text.get_text() for text in ax.texts] == ["10% → 40%"]
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_binned_means_against_a_count_by_hand():
    x = pd.Series([1, 2, 3, 4, np.nan])
    y = pd.Series([1.0, 3.0, 10.0, 10.0, 99.0])
    means = marks.binned_means(plt.figure().add_subplot(), x, y, 2)
    assert means["y"].tolist() == [2.0, 10.0]
    assert means["n"].tolist() == [2, 2]
    assert means["x"].tolist() == [1.5, 3.5]
    # two values 1 and 3: standard error 1, t with one degree of freedom 12.706
    # ... and two of 10 none
    assert means["ci_high"].tolist() == pytest.approx([14.706, np.nan], abs=1e-3, nan_ok=True)


def test_binned_means_survive_ties():
    _, ax = plt.subplots()
    x = pd.Series([1] * 50 + [2] * 50)
    assert 1 <= len(marks.binned_means(ax, x, pd.Series(np.arange(100.0)), 10)) <= 2


def test_specification_curve_sorts_and_marks_choices():
    _, axes = plt.subplots(2, 1)
    top, bottom = axes
    table = pd.DataFrame(
        {
            "estimate": [0.3, 0.1], "ci_low": [0.2, 0.0], "ci_high": [0.4, 0.2],
            "tenure": [True, False], "price": [False, True], "main": [True, False],
        }
    )  # fmt: skip
    marks.specification_curve(axes, table, 0, None, "SD")
    places = {to_hex(line.get_color()): line.get_xydata().tolist() for line in top.lines[1:]}
    assert places == {figures.BLUE: [[0, 0.1]], figures.ORANGE: [[1, 0.3]]}
    assert [tick.get_text() for tick in bottom.get_yticklabels()] == ["price", "tenure"]
    assert top.get_xlim() == bottom.get_xlim()


def test_chinese_title_has_all_its_characters():
    if figures.chinese_font() is None:
        pytest.skip("No font with Chinese characters is installed.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.use_theme("zh")
        fig, ax = plt.subplots()
        ax.set(title="满意度 North 华北 −1", xlabel="让渡价值")
        assert len(display.png(fig)) > 1000


def test_missing_chinese_font_is_told_once_and_only_where_it_is_needed():
    with pytest.warns(UserWarning, match="No font with Chinese") as told:
        figures.use_theme("zh", fonts=["A font that nobody has"])
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figures.use_theme("en", fonts=["A font that nobody has"])


@pytest.mark.skipif(fonts.chinese_font() is None, reason="No font with Chinese characters.")
def test_a_font_that_is_newer_than_the_list_of_fonts_is_found(monkeypatch):
    manager = fonts.font_manager.fontManager
    new = {each.fname for each in manager.ttflist if each.name in fonts.CHINESE_FONTS}
    older = [each for each in manager.ttflist if each.fname not in new]
    monkeypatch.setattr(manager, "ttflist", older)
    fonts._add_new_fonts.cache_clear()
    assert fonts.chinese_font() in fonts.CHINESE_FONTS
    fonts._add_new_fonts.cache_clear()


def test_without_a_font_names_are_drawn_by_latin_part_or_number(monkeypatch):
    """Never boxes: a missing character would be a warning of matplotlib."""
    monkeypatch.setitem(plt.rcParams, "font.family", ["DejaVu Sans"])
    fig, ax = plt.subplots()
    ax.set_yticks([0, 1, 2], ["East 华东", "华北", "West"])
    ax.set_xlabel("满意度")
    with warnings.catch_warnings(), capture_output() as captured:
        warnings.simplefilter("error")
        display.figure(fig, "Alternative text", "A caption", "标题")
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels == ["East", "[1]", "West"]
    html = captured.outputs[0].data["text/html"]
    assert html.endswith("标题。A caption [1] 华北 [2] 满意度</figcaption></figure>")


def test_advice_names_a_font_only_where_one_is_missing_and_needed(monkeypatch):
    assert fonts.advice(["North"]) == ""
    monkeypatch.setattr(fonts, "CHINESE_FONTS", ())
    monkeypatch.setattr(fonts, "chinese_font", lambda: None)
    assert "fonts-noto-cjk" in fonts.advice(["North 华北"])
    assert fonts.advice([], "zh").startswith("未找到中文字体")


def test_a_title_says_the_message_and_a_figure_grows_by_it():
    fig, _ = plt.subplots(figsize=(6, 3))
    with capture_output():
        display.figure(fig, "Alternative text", "A caption", "A message " * 12)
    assert fig.get_suptitle().count("\n") == 1
    assert fig.get_figheight() == pytest.approx(3.52)


def test_the_same_group_has_the_same_colour_in_every_picture():
    first = dict(
        zip(["no card", "with a card"], marks.looks(["no card", "with a card"]), strict=True)
    )
    other = dict(zip(["with a card", "x"], marks.looks(["with a card", "x"]), strict=True))
    assert first["with a card"] == other["with a card"]
    assert other["x"]["color"] != other["with a card"]["color"]


def test_both_axes_of_a_grid_rise_from_low_to_high():
    table = pd.DataFrame([[1, 2], [3, 4]], index=["high", "low"], columns=["high", "low"])
    rising = marks.rising(marks.rising(table.T).T)
    assert rising.to_numpy().tolist() == [[4, 3], [2, 1]]


def test_a_name_with_dollars_is_no_mathematics():
    use_theme()
    fig, ax = plt.subplots()
    ax.set_title(r"segment $\frac{$ and $x^2$")
    fig.canvas.draw()  # mathematics that is none would raise
    plt.close(fig)


@pytest.mark.parametrize(
    ("names", "main"),
    [
        (["explained less not", "doubly robust"], 0),
        (["ever had a card (naive)", "from its day", "lost after 6 usual gaps"], 1),
        (["raw", "linear, adjusted", "doubly robust"], 2),
        (["recency alone", "rate only", "with recency"], 2),
        (["raw difference", "satisfaction before left out", "at equal satisfaction before"], 2),
        (["raw"], 0),
    ],
)
def test_the_finding_is_marked_and_not_a_naive_first_look(names, main):
    assert titles.main_of(names) == main


@pytest.mark.parametrize(
    ("y", "half", "title"),
    [
        (
            [-0.108, 0.09, -0.133],
            0.05,
            "Y is lowest, −0.13 (−0.18 to −0.08), at x of 3 and highest, 0.09 (0.04 to 0.14), at 2",
        ),
        (
            [-0.108, 0.09, -0.133],
            0.3,
            "Y hardly differs with x: lowest −0.13 (−0.43 to 0.17), highest 0.09 (−0.21 to 0.39)",
        ),
        ([4, 3, 1], 0.1, "Y goes from 4.00 (3.90 to 4.10) at low x to 1.00 (0.90 to 1.10) at high"),
        (
            [4.0, 1.0],
            np.nan,
            "Y hardly differs with x: lowest 1.00 (range unknown), highest 4.00 (range unknown)",
        ),
    ],
)
def test_a_curve_of_means_is_told_by_its_ends_only_where_these_are_its_extremes(y, half, title):
    means = pd.DataFrame({"x": np.arange(len(y)) + 1.0, "y": y})
    means = means.assign(ci_low=means["y"] - half, ci_high=means["y"] + half)
    assert titles.bins(means, ("x", "y")) == title
