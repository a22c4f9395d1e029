"""`workbook init`: look at files or a database, and write a TOML file with commented guesses.

From files to text: `text_files`, `looking` (what is there), `dates`, `numbers`, `ratings` (how
values are written), `synonyms`, `matching`, `plan` (which is which), `entries`, `drafts`,
`writing`; `source` asks them in turn.
"""
