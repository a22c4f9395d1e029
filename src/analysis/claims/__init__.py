"""Claims: the register, what is concluded from a region or from several, and how it is said."""
