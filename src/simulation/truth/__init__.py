"""The planted value of every part of the register, by the claim's own definition."""
