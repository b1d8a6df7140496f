"""Every decision against a slow and obvious oracle."""
