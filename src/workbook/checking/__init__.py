"""`workbook check`: what a source breaks, what it looks like, and what it can be used for."""
