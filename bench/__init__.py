"""The benchmarks: what Rollguard takes on a real Kafka and Postgres, ``make bench``.

Each part is an async function of the Kafka brokers and a Postgres DSN, and returns
``bench.results.Result``; ``bench.__main__`` lists the parts. ``python -m bench.parts.PART
--help`` lists the sizes, for a short run of one part.
"""
