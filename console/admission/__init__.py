"""Who asks the console, as whom, and what this visitor may do."""
