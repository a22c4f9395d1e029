"""The command `workbook`: running notebooks, and the pages that they become."""
