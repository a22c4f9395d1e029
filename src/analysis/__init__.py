"""Helper module of the customer research workbook: the notebooks import from here."""
