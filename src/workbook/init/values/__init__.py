"""How values are written, and what they and their columns are called."""
