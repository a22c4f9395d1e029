"""Regressions and survival models with robust standard errors."""
