"""One worker process: start, stop, health, HTTP pages, metrics, logs."""
