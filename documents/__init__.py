"""Tables for the terminal and for Markdown, as ``make bench`` and ``make simulate`` write."""
