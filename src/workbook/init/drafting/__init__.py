"""What the TOML file says of each table.

`drafts` says it of each table, with `entries` of its columns and `money` of amounts; `writing`
makes the file of it.
"""
