"""Any policy over a recorded log: what it would have decided (docs/how-to/backtest.md)."""
