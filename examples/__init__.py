"""Examples of how Rollguard is used; they import only what an engine of your own would import."""
