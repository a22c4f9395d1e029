"""Extraction: the mapped columns of a database's tables, copied once into private Parquet files."""

SINCE = "WORKBOOK_EXTRACTS_SINCE"
"""Environment variable: extracts made since then (seconds since 1970) are used as they stand, so
that all notebooks of a run see the same rows."""
