"""Survey scales: reliability, missing answers, response style, relative importance."""
