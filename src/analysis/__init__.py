"""What a notebook imports, such as `from analysis import claim, load_region, models, say`.

Everything else in the package may change without notice. A name is imported when it is first
used, so that a notebook pays only for what it needs.
"""

from importlib import import_module

_FACE = {
    # data
    "load_region": ("data.region", "read and check the data of one region"),
    "dataset": ("data", "all regions of a source: their traits and what was rejected"),
    # cohorts: whom a claim is about, what was known before, what was observed after
    "survey": ("cohorts", "survey answers: ratings, scores, imputations, coding of the scale"),
    "complaints": ("cohorts", "complaint cases: days to settle, satisfaction after, purchases"),
    "service_works": ("cohorts", "stations whose service was restricted by works"),
    "purchases": ("cohorts", "purchases: sales by customer, month, hour"),
    "landmark": ("cohorts", "customers on one day: covariates before, outcomes after"),
    "target_trial": ("cohorts", "emulated trials: who was treated on a day and who was not yet"),
    "weekly_activity": ("cohorts", "weeks of activity of each customer"),
    "churn": ("cohorts", "inactivity beyond a customer-specific limit"),
    "early_warning": ("cohorts.alarms", "alarms before a customer is lost, and their lead time"),
    "contacts": ("cohorts", "campaigns and visits: whom they reached, at what cost"),
    "data_profile": ("cohorts", "what a region's data hold and which claims they can test"),
    # statistics: arrays and frames in, estimates out
    "Estimate": ("statistics.estimate", "an effect with its 95% interval"),
    "NotEstimable": ("statistics.estimate", "raised where data can't answer; ends the notebook"),
    "estimate": ("statistics", "estimates of means, ratios, differences; pooled imputations"),
    "models": ("statistics.regression", "regressions with HC3 or cluster-robust errors"),
    "formulas": ("statistics.regression", "formulas as text: usable controls, other outcomes"),
    "specification_curve": ("statistics.regression", "an effect under all reasonable choices"),
    "response_surface": ("statistics.regression", "quadratic surfaces over two drivers"),
    "survival": ("statistics.regression", "survival curves and the log-rank test"),
    "treatment_effects": ("statistics.causal", "doubly robust comparison of two groups"),
    "sensitivity": ("statistics.causal", "how strong a hidden cause would have to be"),
    "discontinuity": ("statistics.causal", "jumps of an outcome at a limit"),
    "mediation": ("statistics.causal", "indirect effects"),
    "scales": ("statistics.measurement", "scores of several items, reliability"),
    "response_style": ("statistics.measurement", "extreme answers and the halo effect"),
    "relative_importance": ("statistics.measurement", "shares of explained variance (LMG)"),
    "prediction": ("statistics", "predictions of rows not seen; calibration and lift"),
    "concentration": ("statistics.value", "Lorenz curve, top shares, tail index"),
    "lifetime_value": ("statistics.value", "forecasts of purchases and customer value"),
    # claims
    "claim": ("claims.claim", "take a claim of the register to a region; then conclude"),
    "checks": ("claims", "conditions that a finding rests on"),
    "register": ("claims.hypotheses", "all claims, as fixed before any data was read"),
    "sample_size": ("claims.across_regions", "how much more data it would take to decide"),
    "findings": ("claims", "what regions said, as tables"),
    "across_regions": ("claims", "claims pooled over regions, and as a family"),
    "quick_mode": ("statistics.effort", "fewer imputations and draws, for trying things out"),
    # display
    "text": ("language", "a sentence in the reader's language"),
    "say": ("figures.display", "display a computed sentence"),
    "table": ("figures.display", "display a small table"),
    "figure": ("figures.display", "display a figure with its text for who can't see it"),
    "coefficients": ("figures.display", "display the coefficients of fits, folded"),
    "list_regions": ("figures.jupyter", "a source's regions, each with the line to copy"),
    "use_theme": ("figures.theme", "set the look of all figures"),
    "charts": ("figures", "effects, means, distributions"),
    "survey_charts": ("figures", "answers, surfaces, importance, specification curves"),
    "complaint_charts": ("figures", "days until settled, satisfaction after"),
    "retention_charts": ("figures", "survival, alarms, calibration, costs"),
    "across_regions_charts": ("claims.across_regions", "forest plots over regions"),
}
"""By name: the package or module that it comes from, and what it is."""

__all__ = list(_FACE)
__doc__ += "\n" + "\n".join(f"{name}: {what}" for name, (_, what) in _FACE.items())


def __getattr__(name: str) -> object:
    """Import a name when it is first used (PEP 562)."""
    if name not in _FACE:
        raise AttributeError(f"analysis has no {name!r}; it has {', '.join(sorted(_FACE))}.")
    home = f"{__name__}.{_FACE[name][0]}"
    value = getattr(import_module(home), name, None)
    found = globals()[name] = value or import_module(f"{home}.{name}")
    return found


def __dir__() -> list[str]:
    """List the names that notebooks use."""
    return sorted(_FACE)
