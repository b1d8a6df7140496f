"""The process of a verb: its arguments and streams, how it waits, and how it ends."""
