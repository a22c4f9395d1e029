"""What a notebook imports: data, cohorts, statistics, claims, figures."""
