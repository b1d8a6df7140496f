"""The registry of an engine: what is loaded, what is kept on disk, what interrupts."""
