"""The spans of a role: what it did about one record, as part of the trace that the record names."""
