"""The decisions. Pure: no Kafka, no Postgres, no Faust, no asyncio and no clock."""
