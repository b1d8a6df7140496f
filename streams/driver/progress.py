"""How far the records of one partition are handled, if some of them are set aside. Pure."""

from dataclasses import dataclass, field


@dataclass
class Progress:
    """The offset that may be committed: nothing before it is left to be done."""

    _handled_to: int = 0
    """Every record before this offset is done or set aside."""
    _aside: set[int] = field(default_factory=set)
    """The offsets of the records that are set aside."""

    @property
    def committable(self) -> int:
        """The offset after the last record that is done, or that of the first one set aside."""
        return min(self._aside, default=self._handled_to)

    def handled_to(self, offset: int) -> None:
        """Note that every record before this offset is done or set aside."""
        self._handled_to = max(self._handled_to, offset)

    def set_aside(self, offset: int) -> None:
        """Note that the record at this offset is left to be done, although later ones are done."""
        self._aside.add(offset)

    def resume(self, offset: int) -> None:
        """Note that the record at this offset, which was set aside, is done."""
        self._aside.discard(offset)
