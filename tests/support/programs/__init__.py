"""Programs of Rollguard for tests: processes of their own, without the time that imports take."""
