"""The name of the person who uses this process."""

from rollguard_client.login_name import login_name

__all__ = ["login_name"]
