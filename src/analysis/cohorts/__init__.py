"""Cohorts: who is looked at, what was known of them before, and what came after."""
