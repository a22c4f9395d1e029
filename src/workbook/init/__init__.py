"""`workbook init`: look at files or a database, and write a TOML file with commented guesses.

`source` asks in turn what is there (`layouts`, `text_files`, `looking`), which file is which table
(`matching`, `plan`; `totals` takes out its lines of totals) and what the TOML file says of it
(`drafting`); `values` knows how values are written and what columns are called.
"""
