"""The pure parts of the notifier."""
