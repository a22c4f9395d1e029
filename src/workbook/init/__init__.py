"""`workbook init`: look at files or a database, and write a TOML file with commented guesses.

`source` asks in turn what is there (`layouts`, `text_files`, `looking`), which file is which table
(`matching`, `plan`) and what the TOML file says of it (`entries`, `money`, `drafts`, `writing`);
`values` knows how values are written and what columns are called.
"""
