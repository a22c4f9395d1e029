"""What it takes to decide a claim: how often regions of a size do, and what to do next."""
