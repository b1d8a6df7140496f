"""What Rollguard takes, measured side by side on a real Kafka and Postgres: ``make bench``.

Each part is a module with an async function of the brokers and a Postgres DSN, which returns
:class:`bench.results.Result`; ``bench.__main__`` lists them. ``python -m bench.PART --help`` has the
sizes, for a short run of one.
"""
