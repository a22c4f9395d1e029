"""What customers are worth: concentration, segments, purchases to come."""
