"""Why the cancel of one order gets nowhere, in our words and in the venue's. Pure."""

from __future__ import annotations

from cancel_tui.cancels import Stage
from cancel_tui.console.badges import age_text
from cancel_tui.desk.track import Track

_OURS = {
    Stage.UNKNOWN: "in doubt, being read back",
    Stage.REFUSED: "not cancelled, live until read otherwise",
}


def why(track: Track, now: float, key: str = "x") -> str | None:
    """One sentence about a cancel that was refused, is in doubt or is blocked; else what was last said of it.

    `now` is in monotonic seconds, `key` the key that asks again.
    """
    theirs = track.blocked.words if track.blocked is not None else track.message
    if track.stage.settled or track.stage.flying:
        return track.message
    ours = _OURS.get(track.stage)
    if track.blocked is not None and ours is None:
        ours = "still live"
    if ours is None:
        return theirs
    said = f"{theirs}: {ours}" if theirs else ours
    if track.blocked is not None:
        said += f", {track.blocked.why.value} for {age_text(now - track.blocked.since)}"
    return f"{said}; {key} asks again"
