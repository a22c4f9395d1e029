"""How objects look in JupyterLab: a region, an estimate, a fit; and a list of regions to copy from.

Tables are styled by JupyterLab itself, in light and dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import HTML, display

from analysis.figures.display import say, table_html
from analysis.figures.numbers import three_digits
from analysis.language import text
from analysis.statistics.estimate import Estimate, NotEstimable

if TYPE_CHECKING:
    from analysis.data.region import Region

FITS = {
    "statsmodels.regression.linear_model": ("RegressionResultsWrapper", "RegressionResults"),
    "statsmodels.genmod.generalized_linear_model": ("GLMResultsWrapper", "GLMResults"),
    "statsmodels.miscmodels.ordinal_model": ("OrderedResultsWrapper", "OrderedResults"),
}
"""Results of models that are shown by their summary."""


def register(shell: InteractiveShell) -> None:
    """Make a cell that ends with a region, an estimate or a fit show it as a table.

    `NotEstimable` ends a notebook with its sentence; `claim` has a card for it instead.
    """
    shell.set_custom_exc((NotEstimable,), _say_why)
    html = shell.display_formatter.formatters["text/html"]
    html.for_type_by_name("analysis.data.region", "Region", region_html)
    html.for_type(Estimate, estimate_html)
    for module, names in FITS.items():
        for name in names:
            html.for_type_by_name(module, name, lambda fit: fit.summary().as_html())


def end_notebook(shell: InteractiveShell, line: str) -> None:
    """End a notebook without a traceback: a line says so."""
    shell._showtraceback(SystemExit, "", [line])  # papermill's name for a regular end


def _say_why(
    shell: InteractiveShell, kind: type, why: NotEstimable, trace: object, **_: object
) -> None:
    """Show what the data do not allow, and end the notebook."""
    say(str(why))
    end_notebook(shell, text("The notebook ends with this cell."))


def region_html(here: Region) -> str:
    """Return a region as a table: its period, and the rows of each table that can be used."""
    facts = {text("customers"): len(here.customers)}
    if here.days:
        facts |= {text("first purchase"): here.start, text("end of the data"): here.end}
        facts[text("days")] = here.days
    rows = {name: n for name, n in here.rows.items() if name != "customers"}
    facts |= {text("rows of {table}", table=name): n for name, n in rows.items()}
    facts[text("rejected rows")] = int(here.rejected["rows"].sum())
    table = pd.Series(facts, dtype=object).rename_axis("").to_frame(text("value"))
    return table_html(table, f"{here.name} ({here.source.name})")


def estimate_html(found: Estimate) -> str:
    """Return an estimate as a table of one row."""
    interval = f"[{three_digits(found.ci_low)}, {three_digits(found.ci_high)}]"
    row = {text("estimate"): found.estimate, text("95% interval"): interval, "n": found.n_obs}
    table = pd.DataFrame(row, index=[text("effect")])
    return table_html(table, found.method or text("Estimate"))


def list_regions(source: str = "example") -> None:
    """Display a source's regions, folded, each with the line to copy into the parameters cell.

    Parameters
    ----------
    source : str
        Name of a source, or path of its TOML file.
    """
    from analysis.data import dataset, sources  # which load the engine

    known = sources.read(source)
    customers = dataset.open_source(known).traits()["customers"]
    lines = [f'region = "{name}"' for name in customers.index]
    table = pd.DataFrame({text("customers"): customers, text("line to copy"): lines})
    counted = {"n": len(table), "source": known.name}
    caption = text("{n} region of {source}", "{n} regions of {source}", **counted)
    display(HTML(table_html(table.rename_axis(text("region")), caption, folded=True)))
