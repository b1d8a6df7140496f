"""Version management in Python: ToolVersionManager and DeploymentMonitor."""
