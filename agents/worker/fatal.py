"""The report of an error that ends the process."""

import asyncio


class Fatal:
    """Keeps the first error that is reported. Call the object with an error to report it."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.raised = asyncio.Event()

    def __call__(self, error: BaseException) -> None:
        """Report an error; only the first one is kept."""
        if self.error is None:
            self.error = error
            self.raised.set()
