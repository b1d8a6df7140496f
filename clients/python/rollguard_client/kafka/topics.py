"""The names of the topics, prefix included."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topics:
    """The names that a prefix gives."""

    prefix: str

    @property
    def executions(self) -> str:
        """The log by which tools are judged."""
        return f"{self.prefix}tool-executions"

    @property
    def deployments(self) -> str:
        """Requests to deploy."""
        return f"{self.prefix}tool-deployments"

    @property
    def deployment_outcomes(self) -> str:
        """The answers to deployments."""
        return f"{self.prefix}deployment-outcomes"

    @property
    def versions(self) -> str:
        """The current version of each tool."""
        return f"{self.prefix}tool-versions"

    @property
    def reports(self) -> str:
        """What each engine has loaded."""
        return f"{self.prefix}engine-reports"

    @property
    def commands(self) -> str:
        """Rollback commands."""
        return f"{self.prefix}rollback-commands"

    @property
    def outcomes(self) -> str:
        """The answers to rollback commands."""
        return f"{self.prefix}rollback-outcomes"
