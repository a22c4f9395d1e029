"""Data: the contract, sources, readers, validation, and one region of a source."""
