"""What keeps every rule, and yet looks as if it meant something else."""
