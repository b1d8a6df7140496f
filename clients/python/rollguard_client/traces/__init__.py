"""The trace that a record belongs to, as its headers say it: W3C Trace Context."""
