"""The commands that tell what it takes to decide claims: `calibrate` and `next`."""
