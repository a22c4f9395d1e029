"""Findings for colleagues: Excel, CSV, slides and a summary of one page."""
