"""Trials: who can be drawn by lot, what was known of them before, and what came after."""
