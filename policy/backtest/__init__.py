"""Any policy over a recorded log: what it would have decided (docs/backtest.md)."""
