"""A system as its operators see it: reached by Kafka and Postgres, or through a console."""
