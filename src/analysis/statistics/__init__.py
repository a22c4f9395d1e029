"""Statistics: arrays and frames in, estimates out; nothing here knows regions, pages or files."""
