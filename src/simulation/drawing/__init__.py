"""Draw customers, their behaviour and answers, and the tables of a region."""
