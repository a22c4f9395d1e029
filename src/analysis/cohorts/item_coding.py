"""Old name of `answer_quality`; to be deleted."""

from analysis.cohorts.answer_quality import item_coding  # noqa: F401
