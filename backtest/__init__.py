"""What would have been decided: any policy over a recorded log. Pure; ``docs/backtest.md``."""
