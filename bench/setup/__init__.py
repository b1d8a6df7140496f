"""The servers, topics, databases and programs that benchmarks run against."""
