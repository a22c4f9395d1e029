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
    shell.set_custom_exc((NotEstimable,), _end_notebook)
    html = shell.display_formatter.formatters["text/html"]
    html.for_type_by_name("analysis.data.region", "Region", region_html)
    html.for_type(Estimate, estimate_html)
    for module, names in FITS.items():
        for name in names:
            html.for_type_by_name(module, name, lambda fit: fit.summary().as_html())


def _end_notebook(
    shell: InteractiveShell, kind: type, why: NotEstimable, trace: object, **_: object
) -> None:
    """Show what the data do not allow, and end the notebook without a traceback."""
    say(str(why))
    line = text("The notebook ends with this cell.")
    shell._showtraceback(SystemExit, "", [line])  # papermill's name for a regular end


def region_html(here: Region) -> str:
    """Return a region as a table: its period, and the rows of each table that can be used."""
    facts = {"customers": len(here.customers)}
    if here.days:
        facts |= {"first purchase": here.start, "end of the data": here.end, "days": here.days}
    facts |= {f"rows of {name}": rows for name, rows in here.rows.items() if name != "customers"}
    facts |= {"rejected rows": int(here.rejected["rows"].sum())}
    table = pd.Series(facts, dtype=object).rename_axis("").to_frame("value")
    return table_html(table, f"{here.name} ({here.source.name})")


def estimate_html(found: Estimate) -> str:
    """Return an estimate as a table of one row."""
    interval = f"[{three_digits(found.ci_low)}, {three_digits(found.ci_high)}]"
    row = {"estimate": found.estimate, "95 % interval": interval, "n": found.n_obs}
    return table_html(pd.DataFrame(row, index=["effect"]), found.method or "Estimate")


def list_regions(source: str = "example") -> None:
    """Display a source's regions, folded, each with the line to copy into the parameters cell.

    Parameters
    ----------
    source : str
        Name of a source, or path of its TOML file.
    """
    from analysis.data import dataset, sources  # which load the engine

    known = sources.read(source)
    traits = dataset.open_source(known).traits()
    table = pd.DataFrame({"customers": traits["customers"]}).rename_axis("region")
    table["line to copy"] = [f'region = "{name}"' for name in traits.index]
    counted = {"n": len(table), "source": known.name}
    caption = text("{n} region of {source}", "{n} regions of {source}", **counted)
    display(HTML(table_html(table, caption, folded=True)))
