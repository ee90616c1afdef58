"""How the console looks: the environment on every screen, themes, and what remains of them without colour."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import Color, ColorSystem
from rich.segment import Segment
from rich.style import Style

from cancel_tui.console import badges, cells, lines
from cancel_tui.console.app import CancelApp
from cancel_tui.console.commands import Keymap, Where
from cancel_tui.console.edges import READ_ONLY, fill_of
from cancel_tui.console.screens.arm import ArmScreen
from cancel_tui.console.screens.base import DeskScreen
from cancel_tui.console.screens.help import HelpScreen
from cancel_tui.console.theme import LOOKS
from tests.console.ground import NARROW, WIDE, Ground, ground
from tests.console.hands import settle

THEMES = list(LOOKS)


async def every_screen(here: Ground) -> list[tuple[str, str]]:
    """The name and the painted text of each screen, each reached by its key."""
    seen = []

    async def note() -> None:
        screen = here.app.screen
        assert isinstance(screen, DeskScreen)
        screen.tick()
        await settle(here.pilot)
        seen.append((type(screen).__name__, here.picture()))

    await note()
    await here.press("question_mark")
    await note()
    await here.press("escape")
    await here.arm()
    await note()
    await here.press("escape")
    if not here.app.read_only:
        await here.press("down", "space", "X")
        await note()
        await here.press("escape")
        await here.over(await here.kill())
        await note()
        await here.press("d")
        await note()
        await here.press("escape", "escape")
    return seen


@pytest.mark.parametrize(
    ("mode", "ascii_only", "size"),
    [("PRACTICE", False, NARROW), ("TEST", True, NARROW), ("LIVE", False, WIDE), ("LIVE", True, NARROW)],
)
async def test_the_environment_stands_on_every_screen_in_word_and_pattern(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, ascii_only: bool, size: tuple[int, int]
) -> None:
    monkeypatch.setattr(lines, "mode_of", lambda desk: mode)
    async with ground(tmp_path, ascii_only=ascii_only, size=size) as here:
        for name, picture in await every_screen(here):
            shown = picture.splitlines()
            assert f" {mode} " in shown[0], name
            assert picture.count(mode) >= 4, f"{name} repeats it\n{picture}"
            assert fill_of(mode, ascii_only) * 3 in picture, name
            assert READ_ONLY not in picture
            others = {"PRACTICE", "TEST", "LIVE"} - {mode}
            assert not any(f" {one} " in picture for one in others), name


async def test_read_only_stands_on_every_screen(tmp_path: Path) -> None:
    async with ground(tmp_path, read_only=True) as here:
        for name, picture in await every_screen(here):
            assert READ_ONLY in picture.splitlines()[0], name
            assert picture.count(READ_ONLY) >= 2, f"{name}\n{picture}"


def painted(here: Ground) -> list[Segment]:
    return [segment for strip in here.app.screen._compositor.render_strips() for segment in strip]


async def test_the_theme_key_goes_through_the_looks_and_says_what_keeps_one(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        grounds = []
        for name in [*THEMES[1:], THEMES[0]]:
            await here.press("T")
            assert here.app.theme == name
            here.app.look()
            assert f'theme = "{name}" under [console]' in here.line("banner")
            await settle(here.pilot)
            grounds.append(here.app.screen.background_colors[1])
        assert len(set(grounds)) >= 3


async def test_mono_and_no_color_let_no_colour_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ground(tmp_path, console='theme = "mono"') as here:
        await here.arm()
        await here.until(lambda: not any(_coloured(one) for one in painted(here)))
        await here.press("escape", "T")
        await here.until(lambda: any(_coloured(one) for one in painted(here)))
    monkeypatch.setenv("NO_COLOR", "1")
    async with ground(tmp_path) as here:
        await here.press("T")
        assert "NO_COLOR is set" in here.line("banner")
        assert not any(_coloured(one) for one in painted(here))


def _coloured(segment: Segment) -> bool:
    style = segment.style
    return style is not None and any(one and not one.is_default for one in (style.color, style.bgcolor))


Looks = dict[str, tuple[object, ...]]


def _sixteen(style: Style) -> tuple[object, ...]:
    """What a terminal of 16 colours makes of a style: ground, colour, attributes."""
    ground, fore = (
        None if one is None or one.is_default else one.downgrade(ColorSystem.STANDARD).number
        for one in (style.bgcolor, style.color)
    )
    fore, ground = (ground, fore) if style.reverse else (fore, ground)
    return ground, fore, bool(style.bold), bool(style.underline), bool(style.reverse)


@pytest.mark.parametrize("theme", THEMES)
async def test_alarm_doubt_and_quiet_differ_in_every_theme_on_sixteen_colours(
    tmp_path: Path, theme: str
) -> None:
    async with ground(tmp_path, console=f'theme = "{theme}"') as here:
        here.app.set_class(True, "sixteen")
        await here.press("down")
        await settle(here.pilot)
        painter = here.grid._painter
        for cursor in (False, True):
            looks = {role: _sixteen(painter._style(role, cursor)) for role in badges.ROLES}
            for role, look in looks.items():
                assert look[0] is None or look[0] != look[1], f"{role} cannot be read: {look}"
            quiet = looks["open"]
            assert looks["alarm"] not in {look for role, look in looks.items() if role != "alarm"}
            assert quiet != looks["unknown"] != looks["alarm"]
        line, cursor_line = _sixteen(painter._style("text", False)), _sixteen(painter._style("text", True))
        assert (line[-1], cursor_line[-1]) == (False, True), "the cursor's line is seen"


@pytest.mark.parametrize(("theme", "least"), [("cancel-tui", 4.4), ("light", 4.4), ("contrast", 6.3)])
async def test_everything_stands_out_from_its_ground(tmp_path: Path, theme: str, least: float) -> None:
    async with ground(tmp_path, console=f'theme = "{theme}"') as here:
        here.app.say("a line of the log")
        await here.press("down")
        await settle(here.pilot)
        painter = here.grid._painter
        for role in (*badges.ROLES, "header", "placeholder", cells.TEXT, cells.FAINT, cells.BUY, cells.SELL):
            assert _contrast(painter._style(role, False)) >= least, role
        if theme == "contrast":
            for role in ("header", "placeholder", cells.FAINT, "open", "new", "gone", "expired"):
                assert _contrast(painter._style(role, False)) > 20, f"{role} is faint"
            log = [one for one in painted(here) if "a line of the log" in one.text]
            assert [one for one in log if one.style and _contrast(one.style) > 20]
        for segment in painted(here):
            # What fills a line is there to be seen as a pattern.
            if segment.style and segment.text.strip(" ╱━░█…"):
                assert _contrast(segment.style) >= least, segment


def _contrast(style: Style) -> float:
    """Ratio of luminances as the accessibility guidelines define it; 1 is unreadable, 21 black on white."""

    def luminance(colour: Color | None, default: float) -> float:
        if colour is None or colour.is_default:
            return default
        parts = [part / 255 for part in colour.get_truecolor()]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(style.color, 1.0), luminance(style.bgcolor, 0.0)))
    return (high + 0.05) / (low + 0.05)


def test_in_mono_every_state_differs_in_word_and_shape_and_attention_in_attribute() -> None:
    states = [make() for make in badges.STATES]
    for kind in ("word", "shape", "ascii", "role"):
        assert len({getattr(one, kind) for one in states}) == len(states), kind
    mono = LOOKS["mono"]
    told = {
        "alarm": mono.style(lines.ALARM),
        "doubt": mono.style(lines.DOUBT),
        "quiet": mono.style(""),
    }
    assert told == {"alarm": "bold reverse", "doubt": "bold", "quiet": ""}


@pytest.mark.parametrize("theme", THEMES)
def test_every_style_of_a_line_is_one_that_can_be_drawn(theme: str) -> None:
    for style in (lines.ALARM, lines.DOUBT, lines.GOOD, f"bold {lines.GOOD}", lines.BUSY, "dim", "reverse"):
        Style.parse(LOOKS[theme].style(style))
    for style in lines.MODES.values():
        Style.parse(LOOKS[theme].style(style))


async def test_armed_read_only_shows_why_instead_of_the_word(tmp_path: Path) -> None:
    async with ground(tmp_path, read_only=True) as here:
        await here.arm()
        assert isinstance(here.app.screen, ArmScreen)
        assert "started with --read-only" in here.line("word")


@pytest.mark.parametrize("where", [Where.GRID, Where.BOARD])
@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_no_footer_leaves_the_kill_out(where: Where, width: int) -> None:
    told = lines.hints(Keymap({}).hints(where), width).plain
    assert "^K KILL" in told
    assert len(told) <= width


@pytest.mark.parametrize("key", ["x", "X", "R"])
async def test_with_read_only_a_key_that_cancels_says_why_it_does_nothing(tmp_path: Path, key: str) -> None:
    async with ground(tmp_path, read_only=True) as here:
        await here.press("down", "space", key)
        await here.until(lambda: "READ-ONLY" in here.line("banner") or "no kill" in here.line("banner"))
        assert here.desk.kills == []


async def test_a_screen_that_is_being_taken_away_draws_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    async with ground(tmp_path) as here:
        await here.press("question_mark")
        screen = here.app.screen
        assert isinstance(screen, DeskScreen)
        await screen.query("#footer").remove()
        screen.tick()
        here.app.look()
        await here.press("escape")
        assert not isinstance(here.app.screen, HelpScreen)
        await here.app._main.query("#grid").remove()
        here.app.look()


def dialogs_dressed(here: Ground) -> bool:
    return any(place.endswith("dialogs.tcss") for place, _ in here.app.stylesheet.source)


async def test_what_styles_the_dialogs_is_read_behind_the_first_picture_and_before_any_of_them(
    tmp_path: Path,
) -> None:
    async with ground(tmp_path) as here:
        assert dialogs_dressed(here)


async def test_a_screen_that_comes_before_the_rest_is_loaded_is_dressed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CancelApp, "_begin", lambda app: None)
    async with ground(tmp_path, listed=False) as here:
        assert not dialogs_dressed(here)
        here.app.arm()

        def dressed() -> bool:
            """Whether the armed screen has its lines."""
            found = here.app.screen.query("#preview") if isinstance(here.app.screen, ArmScreen) else ()
            return [str(one.styles.height) for one in found] == ["auto"]

        await here.until(dressed)
