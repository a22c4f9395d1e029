"""Old names of what is in `target_trial`; to be deleted."""

from analysis.cohorts.target_trial import CARD_TRAITS as TRAITS  # noqa: F401
from analysis.cohorts.target_trial import card_holders as new_holders  # noqa: F401
from analysis.cohorts.target_trial import card_since as since  # noqa: F401
from analysis.cohorts.target_trial import card_spells as histories  # noqa: F401
from analysis.cohorts.target_trial import cards_before_joining as misdated  # noqa: F401
from analysis.cohorts.target_trial import cards_of_one_day as of_one_day  # noqa: F401


def holders(region):
    """Say how many customers took a card, or that this is not recorded."""
    if "customers.card_since" not in region.columns:
        return "cards are not recorded"
    return f"{region.customers['card_since'].notna().sum():,} took a card"
