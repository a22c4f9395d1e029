"""Plans of trials: who gets what by lot, and the page that says how it will be analysed."""
