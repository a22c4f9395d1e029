"""Pages and files for readers: reports, the index, exports, the history of runs."""
