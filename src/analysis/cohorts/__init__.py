"""Cohorts: who is looked at, what was known of them before, and what came after."""

try:
    from analysis.data.cache import per_region
except ImportError:

    def per_region(compute):
        """Compute at every call, where nothing is cached."""
        return compute
