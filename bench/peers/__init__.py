"""The detector's rules in other frameworks, to measure what the way of an event costs in each.

What an execution means and what is decided are the product's own pure functions in all of them:
``read_execution_entry`` with ``read_log_entry`` behind it, ``fold``, and the row as bytes. What
differs is how events travel, where the rows are, and what is written when. Each is a program of its
own, written as a good user of the framework would write it, with its settings at their best where
that is safe.

Quix Streams caps pydantic below what the product has, and so has an environment of its own, made by
``make peers`` from ``requirements.lock`` beside this file. Stock Faust is in the product's.
"""

COMMIT_INTERVAL_S = 0.5
"""How often a peer commits: as often as the detector does, so that all repeat as much after a crash
and all are seen to advance as often."""
