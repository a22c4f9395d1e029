import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from analysis.figures import display


@pytest.fixture(autouse=True, scope="module")
def shell():
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def displayed(function, *args, **kwargs):
    with capture_output() as captured:
        assert function(*args, **kwargs) is None
    (output,) = captured.outputs
    return output.data


def table_cells(*args, **kwargs):
    soup = BeautifulSoup(displayed(display.table, *args, **kwargs)["text/html"], "html.parser")
    return soup, [[cell.text for cell in row.find_all(["th", "td"])] for row in soup.find_all("tr")]


def picture():
    fig, ax = plt.subplots(figsize=(4, 2))
    ax.plot(np.arange(50), np.sin(np.arange(50)), label="sine")
    return fig


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "variable": ["visits", "spending", "a<b"],
            "mean": [-23.456, 12345.6, np.nan],
            "n": [2610, 1234567, 3],
            "sales_share": [0.1234, 0.5, 1.0],
        }
    )


def test_say_shows_tags_instead_of_obeying_them():
    data = displayed(display.say, "**North** <script>alert(1)</script> & co")
    assert data["text/markdown"] == "**North** &lt;script>alert(1)&lt;/script> & co"


def test_table_rounds_and_separates(frame):
    _, cells = table_cells(frame, "Means", {"sales_share": ".0%"})
    assert cells == [
        ["variable", "mean", "n", "sales share"],
        ["visits", "−23.5", "2,610", "12%"],
        ["spending", "12,346", "1,234,567", "50%"],
        ["a<b", "–", "3", "100%"],
    ]
    assert frame.loc[0, "mean"] == -23.456


def test_table_can_be_read_and_scrolled_by_everyone(frame):
    soup, _ = table_cells(frame, "Means <of> it", key="spending")
    wrapper = soup.find("div")
    assert (wrapper["tabindex"], wrapper["role"]) == ("0", "region")
    assert wrapper["aria-label"] == soup.caption.text == "Means <of> it"
    assert [head["scope"] for head in soup.thead.find_all("th")] == ["col"] * 4
    assert [row.th["scope"] for row in soup.tbody.find_all("tr")] == ["row"] * 3
    assert soup.select_one("tr.key").th.text == "spending"
    assert len(soup.select("tr.key")) == 1


def test_table_aligns_numbers_but_not_words(frame):
    soup, _ = table_cells(frame.assign(note="text"), "Means")
    aligned = [re.search(r"right|left", cell["style"])[0] for cell in soup.tbody.tr.find_all("td")]
    assert aligned == ["right", "right", "right", "left"]


def test_table_with_an_index_other_kinds_of_values_and_functions():
    frame = pd.DataFrame(
        {"day": [pd.Timestamp("2025-03-01")], "passed": [True], "p": [0.0004]},
        index=pd.Index(["first"], name="wave"),
    )
    _, cells = table_cells(frame, "Waves", {"p": lambda p: "< .001" if p < 0.001 else f"{p:.3f}"})
    assert cells == [["wave", "day", "passed", "p"], ["first", "2025-03-01", "✓", "< .001"]]


def test_table_of_one_column_keeps_its_rows():
    _, cells = table_cells(pd.DataFrame({"region": ["North", "East"]}), "Regions")
    assert cells == [["region"], ["North"], ["East"]]


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_figure_without_alternative_text_is_refused(alt):
    fig = picture()
    with pytest.raises(ValueError, match="alt"):
        display.figure(fig, alt, "A caption")
    plt.close(fig)


def test_figure_is_small_escaped_sharp_and_closed():
    fig = picture()
    html = displayed(display.figure, fig, 'Sine "wave" <1>', "Up & down")["text/html"]
    assert not plt.fignum_exists(fig.number)
    soup = BeautifulSoup(html, "html.parser")
    assert (soup.img["alt"], soup.figcaption.text) == ('Sine "wave" <1>', "Up & down")
    image = Image.open(io.BytesIO(base64.b64decode(soup.img["src"].partition(",")[2])))
    assert soup.img["width"] == "400"
    assert image.size == (800, 400)
    assert len(image.getcolors()) <= display.COLOURS
    assert image.info.keys() <= {"transparency"}


def test_same_figure_same_bytes():
    first, second = picture(), picture()
    assert display.png(first) == display.png(second)
    plt.close("all")


def test_coefficients_are_folded_and_keep_the_names_of_the_formula():
    found = pd.DataFrame(
        {"estimate": [0.12345, -1.0], "se": 0.1, "ci_low": -0.1, "ci_high": 0.3,
         "p_value": [0.2, 0.0001]},
        index=pd.Index(["C(area)[T.urban]", "log_tenure"], name="term"),
    )  # fmt: skip
    html = displayed(display.coefficients, found, "Visits on area & tenure")["text/html"]
    soup = BeautifulSoup(html, "html.parser")
    assert soup.details.summary.text == "Visits on area & tenure"
    assert "open" not in soup.details.attrs
    cells = [[each.text for each in row.find_all(["th", "td"])] for row in soup.find_all("tr")]
    assert cells == [
        ["term", "estimate", "standard error", "95% from", "95% to", "p"],
        ["C(area)[T.urban]", "0.123", "0.100", "−0.100", "0.300", "0.200"],
        ["log_tenure", "−1.00", "0.100", "−0.100", "0.300", "< .001"],
    ]
