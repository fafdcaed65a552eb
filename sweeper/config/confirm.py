"""What is run again once a search is over, with other seeds, so that no lucky trial wins."""

from sweeper.config.fields import Closed, Count


class Confirm(Closed):
    """Of a study, not of a single fine-tune; null: the search's own figures decide.

    Attributes:
        top: how many of the best trials are run again once the search is over.
        seeds: how often each of them is, every time with another seed; the best mean wins.
    """

    top: Count
    seeds: Count
