"""The Textual application: it shows what the desk knows and sends nothing itself."""

from __future__ import annotations

import os

for _switch in (
    "TEXTUAL",
    "TEXTUAL_DEBUG",
    "TEXTUAL_DRIVER",
    "TEXTUAL_LOG",
    "TEXTUAL_PRESS",
    "TEXTUAL_SCREENSHOT",
    "TEXTUAL_SHOW_RETURN",
):
    # The toolkit's switches for developers: they write every key that is typed to a file or another
    # program, and type keys by themselves. It looks at them when it is loaded, which is after this.
    os.environ.pop(_switch, None)
