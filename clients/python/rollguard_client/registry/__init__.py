"""The current tools of an engine: followed, loaded, and swapped while the engine runs."""
