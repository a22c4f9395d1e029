"""Running notebooks: plan, up-to-date checks, kernels, progress."""
