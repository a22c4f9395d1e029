"""Figures: each draws on the Axes that it is given and says in words what is to be seen."""
