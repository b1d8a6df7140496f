"""Questions to workers over HTTP: how much of an answer is read."""
