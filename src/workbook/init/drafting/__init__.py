"""What the TOML file says of each table and column, and the file as text."""
