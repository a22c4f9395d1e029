"""What the TOML file says of each table, and what `workbook init` prints.

`drafts` says it of each table, with `entries` of its columns, `money` of amounts and `advice` of
what may be added; `writing` and `toml_text` make the file of it, and `report` the lines that are
printed.
"""
