"""The page of a trial's plan: one sheet, in the reader's language."""

from __future__ import annotations

import pandas as pd

from analysis.claims.hypotheses import hypothesis
from analysis.claims.trials import tables, words
from analysis.claims.trials.planning import Drawn
from analysis.claims.trials.sizing import Money, Sizing
from analysis.figures.numbers import minus
from analysis.language import current, text
from workbook.pages import index, report


def page(drawn: Drawn, size: Sizing | None, why: str, money: Money | None) -> str:
    """Return the page of a plan.

    Parameters
    ----------
    drawn : Drawn
    size : Sizing or None
        None where the past does not tell; `why` says so.
    why : str
    money : Money or None
    """
    plan, assets = drawn.plan, report.assets()
    sections = [
        *words.of_plan(plan),
        words.of_size(drawn, size, why),
        *words.of_money(money),
        words.of_lots(plan),
    ]
    template = index.environment(current()).get_template("plan.html.j2")
    title = hypothesis(plan.claim).title[current()]
    return template.render(
        language=current(),
        title=text("Plan of the trial {trial}", trial=plan.trial),
        about=f"{plan.claim} {title} · {plan.source} · {plan.region}",
        sections=sections,
        balance=_balance(drawn.balance),
        heads=[
            text("known before"),
            *map(tables.arm, plan.as_designed.arms),
            text("difference (SD)"),
        ],
        css=assets["css"],
        policy=assets["policy"],
    )


def _balance(table: pd.DataFrame | None) -> list[tuple[str, ...]]:
    """Return the rows of the table of balance."""
    if table is None:
        return []
    rows = table.itertuples()
    return [
        (tables.known_before(str(row.Index)), minus(f"{row.mean_treated:.2f}"),
         minus(f"{row.mean_control:.2f}"), text("{d:+.2f}", d=row.difference))
        for row in rows
    ]  # fmt: skip
