"""Where a backtest reads its log: Postgres, a topic, or a JSON Lines file."""
