"""Effects of treatments and events, and how sensitive they are to what was not measured."""
