"""Extraction: the mapped columns of a database's tables, copied once into private Parquet files."""
