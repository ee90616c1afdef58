"""The console's own colours: quiet grounds, red kept for what needs a hand."""

from __future__ import annotations

from textual.theme import Theme

NAME = "cancel-tui"
THEME = Theme(
    name=NAME,
    primary="#4f9dde",
    secondary="#7d8fa3",
    accent="#58c4c4",
    foreground="#d5dbe3",
    background="#0f1419",
    surface="#151b22",
    panel="#1d252e",
    boost="#1d252e",
    success="#63b97f",
    warning="#e2b04a",
    error="#e5484d",
    dark=True,
)
"""Red is the alarm alone, amber the doubt; the healthy has no colour of its own."""
