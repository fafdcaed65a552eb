"""Which running trials have lost their controller."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime


class Heartbeats:
    """Takes a trial for dead whose heartbeat stays the same for two intervals, as seen from here.

    What the server's clock says of its age does not count: after an outage all are old, and clocks
    are set. A trial has its first heartbeat before its controller opens the gate, so one without
    was left by a controller that died right there.

    Args:
        interval: seconds between two heartbeats.
        clock: in seconds; one that nobody sets.
    """

    def __init__(self, interval: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = 2 * interval
        self._clock = clock
        self._seen: dict[int, tuple[datetime, float]] = {}
        self._outages = 0

    def dead(self, beats: Mapping[int, datetime | None], outages: int) -> list[int]:
        """Numbers of the trials whose controllers have died.

        Args:
            beats: the last heartbeat of each running trial, to be read behind the gate.
            outages: how often the server has been away. After one all that was seen is forgotten:
                the others could not write meanwhile.
        """
        now = self._clock()
        if outages != self._outages:
            self._outages = outages
            self._seen.clear()
        before = self._seen
        self._seen = {}
        dead = []
        for number, beat in beats.items():
            if beat is None:
                dead.append(number)
                continue
            known, since = before.get(number, (beat, now))
            self._seen[number] = (beat, since if known == beat else now)
            if now - self._seen[number][1] > self._longest:
                dead.append(number)
        return dead
