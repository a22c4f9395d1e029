"""How objects look in JupyterLab, and that its style follows light and dark."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from analysis.claims import card
from analysis.figures import jupyter, theme
from analysis.statistics.estimate import Estimate
from sample_findings import loss_against_gain
from simulation import World, draw
from simulation.rehearsal import region_of


@pytest.fixture(scope="module")
def shown():
    """What a cell that ends with an object shows."""
    shell = InteractiveShell.instance()
    theme.use_theme()
    yield lambda thing: BeautifulSoup(
        shell.display_formatter.format(thing)[0]["text/html"], "html.parser"
    )
    InteractiveShell.clear_instance()


def cells(page):
    return {row.th.text: [cell.text for cell in row("td")] for row in page.select("tbody tr")}


def test_a_region_shows_its_period_and_rows_and_no_customer(shown):
    here = region_of(draw(World(), 60, 1))
    page = shown(here)
    assert page.caption.text == "Example (simulated)"
    assert cells(page)["customers"] == ["60"]
    assert cells(page)["end of the data"] == [str(here.end)]
    assert here.customers["customer_id"].iloc[0] not in page.text


def test_an_estimate_shows_its_interval(shown):
    page = shown(Estimate(-0.1234, -0.5, np.inf, 1234, method="OLS, <HC3>"))
    assert page.caption.text == "OLS, <HC3>"
    assert cells(page) == {"effect": ["−0.123", "[−0.500, ∞]", "1,234"]}


def test_a_fit_shows_its_summary(shown):
    frame = pd.DataFrame({"x": np.arange(20.0), "y": np.arange(20.0) ** 1.1})
    assert "OLS Regression Results" in shown(smf.ols("y ~ x", frame).fit()).text


def test_the_regions_of_a_source_can_be_copied_without_javascript(write_source):
    with capture_output() as captured:
        jupyter.list_regions(str(write_source()))
    page = BeautifulSoup(captured.outputs[0].data["text/html"], "html.parser")
    lines = [row[-1] for row in cells(page).values()]
    assert page.details.summary.text == f"{len(lines)} regions of small"
    assert 'region = "North"' in lines
    assert not page.find("script")


def test_a_finding_brings_a_style_that_follows_light_and_dark():
    html = loss_against_gain(0.3, 0.05)._repr_mimebundle_()["text/html"]
    page = BeautifulSoup(html, "html.parser")
    style = page.style.text
    assert "var(--jp-ui-font-color1, currentColor)" in style
    assert "prefers-color-scheme: dark" in style
    for name in page.article["class"] + page.strong["class"]:
        assert f".{name}" in style
    assert all(f".{card.slug(each)}" in style for each in ("contradicted", "inconclusive"))
