"""Randomised trials: assignment by lot, the planned analysis, its checks, and the sample size."""
