"""Trials: how one would decide a claim, its plan as registered, and its analysis as planned."""
