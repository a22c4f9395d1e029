"""The TOML file of a source: its keys, what they may be, and where a column's values come from."""
