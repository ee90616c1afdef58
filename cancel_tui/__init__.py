"""cancel-tui: a terminal kill switch for desk traders."""

__version__ = "0.1.0"
