"""Reading: files of every format, and databases, as tables of an engine that Ibis drives."""
