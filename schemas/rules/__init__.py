"""The rules by which tools are judged: for one tool, for outages, and for the whole fleet."""
