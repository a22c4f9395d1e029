"""Cohorts: who is observed, what was known of them before, and what came after."""
