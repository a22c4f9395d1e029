"""Validation: a raw table in the contract's columns, and the rules that its rows break."""
