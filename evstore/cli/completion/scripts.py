"""The completion scripts of the shells, made from the commands themselves.

Commands and flags are text in the script, so that completing them starts nothing. Names come from the store, from
`evstore --complete` (see `names`); a script never evaluates what it is given, neither by the store nor on the
line that is being completed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import typer

from evstore.cli import settings
from evstore.cli.another import RunsAnother
from evstore.cli.commands.consuming import ACTIONS
from evstore.cli.completion import fish, templates

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS: Final = ("bash", "zsh", "fish")

# The offers of a place: names of the store, files, `@` and a file, or one of a few words.
STORED: Final = {
    "STREAM": "streams",
    "CATEGORY": "categories",
    "TYPE": "types",
    "TAG": "tags",
    "NAME": "consumers",
}
FILES: Final = "files"
AT_FILES: Final = "at-files"
_FILES_FOR: Final = ("FILE", "URL")
_WORDS_FOR: Final = {
    "--format": settings.FORMATS,
    "--errors": settings.ERRORS,
    "--color": settings.COLOURS,
}


class Option(NamedTuple):
    names: tuple[str, ...]
    help: str
    metavar: str | None
    """None is a flag that takes no value."""
    offers: str
    repeatable: bool


class Place(NamedTuple):
    metavar: str
    offers: str
    repeatable: bool


class Command(NamedTuple):
    name: str
    help: str
    options: list[Option]
    places: list[Place]
    runs_another: bool
    """After "--" another command follows, which the shell completes as at the start of a line."""


def script(shell: str, group: Any) -> str:
    """The script for one of SHELLS; `group` is the command line itself."""
    top, commands = declarations(group)
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](top, commands)


def declarations(group: Any) -> tuple[list[Option], list[Command]]:
    """The options before a command, and the commands."""
    context: Any = typer.Context(group, **group.context_settings)
    commands = []
    for name, command in group.commands.items():
        params = command.get_params(typer.Context(command, parent=context))
        options = [_option_of(each) for each in params if each.param_type_name == "option"]
        places = [_place_of(each) for each in params if each.param_type_name == "argument"]
        if name == "consumers":  # whose words are one list to Typer
            places = [Place("ACTION", " ".join(ACTIONS), False), Place("NAME", STORED["NAME"], False)]
        runs_another = isinstance(command, RunsAnother)
        commands.append(Command(name, _first_line(command.help), options, places, runs_another))
    return [_option_of(each) for each in group.get_params(context)], commands


def _option_of(found: Any) -> Option:
    names = tuple(sorted(found.opts, key=len))
    metavar = None if found.is_flag or found.count else found.metavar or found.name.upper()
    words = _WORDS_FOR.get(names[-1])
    offers = AT_FILES if names[-1] == "--data" else " ".join(words) if words else _offers(metavar or "")
    return Option(names, _first_line(found.help), metavar, offers, found.multiple)


def _place_of(found: Any) -> Place:
    metavar = (found.metavar or found.name.upper()).partition(" ")[0]  # behind it: the command after "--"
    return Place(metavar.replace("...", "").strip("[]"), _offers(metavar), found.nargs == -1)


def _offers(metavar: str) -> str:
    """The offers of a metavar: `STREAM`, `[FILE...|-]`, or `any|no-stream|exists|N` with its fixed words."""
    if "=" in metavar:
        return ""
    parts = metavar.replace("...", "").strip("[]").split("|")
    if parts[0] in STORED:
        return STORED[parts[0]]
    if parts[0] in _FILES_FOR:
        return FILES
    return " ".join(each for each in parts if re.fullmatch("[a-z][a-z-]*", each))


def _first_line(text: str | None) -> str:
    """The first line, without the remark in brackets that serves readers of the whole help."""
    return (text or "").strip().split("\n")[0].split("  [")[0].removesuffix(".")


def _letters(options: list[Option]) -> str:
    """The short options that take a value."""
    return "".join(each.names[0][1] for each in options if each.metavar and len(each.names[0]) == 2)  # noqa: PLR2004


def _longs(options: list[Option]) -> Iterator[str]:
    """The long options that take a value."""
    return (name for each in options if each.metavar for name in each.names if name.startswith("--"))


# --- bash ---


def _bash(top: list[Option], commands: list[Command]) -> str:
    tables, kinds, places = [_bash_table("''", top)], _bash_kinds("", top), []
    for command in commands:
        tables.append(_bash_table(command.name, command.options))
        kinds += [each for each in _bash_kinds(command.name, command.options) if each not in kinds]
        for number, place in enumerate(command.places, 1):
            if place.offers:
                at = "*" if place.repeatable else number
                places.append(f"        '{command.name} '{at}) offers='{place.offers}' ;;")
    return templates.fill(
        templates.BASH,
        commands=" ".join(each.name for each in commands),
        runs=_running(commands),
        tables="\n".join(tables),
        kinds="\n".join(kinds),
        places="\n".join(places),
    )


def _bash_table(pattern: str, options: list[Option]) -> str:
    flags = " ".join(name for each in options for name in each.names)
    return (
        f"        {pattern})\n            flags='{flags}'\n"
        f"            valued=' {' '.join(_longs(options))} ' letters='{_letters(options)}'\n            ;;"
    )


def _bash_kinds(command: str, options: list[Option]) -> list[str]:
    """The same for every command where it is so before the command."""
    start = f"'{command} '" if command else "*' '"
    return [
        f"        {' | '.join(f'{start}{name}' for name in each.names)}) offers='{each.offers}' ;;"
        for each in options
        if each.metavar and each.offers and (not command or each.names[-1] not in settings_of_all())
    ]


def _running(commands: list[Command]) -> str:
    """The names of those that run another command."""
    return " ".join(each.name for each in commands if each.runs_another)


def settings_of_all() -> set[str]:
    from evstore.cli.options import ON_TOP

    return {f"--{name}" for name in ON_TOP}


# --- zsh ---


def _zsh(top: list[Option], commands: list[Command]) -> str:
    cases = []
    for command in commands:
        specs = [*_zsh_options(command.options), *_zsh_places(command)]
        lines = " \\\n".join(f"                {each}" for each in specs)
        cases.append(
            f"        {command.name})\n            _arguments -s -S -C \\\n{lines} && ret=0\n            ;;"
        )
    return templates.fill(
        templates.ZSH,
        commands="\n".join(f"        {_quote(f'{each.name}:{each.help}')}" for each in commands),
        top=" \\\n".join(f"        {each}" for each in _zsh_options(top)),
        runs="|".join(_running(commands).split()),
        cases="\n".join(cases),
    )


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_options(options: list[Option]) -> Iterator[str]:
    for each in options:
        start = "*" if each.repeatable else f"({' '.join(each.names)})" if len(each.names) > 1 else ""
        help_text = re.sub(r"([\\\[\]:])", r"\\\1", each.help)
        for name in each.names:
            if each.metavar is None:
                yield _quote(f"{start}{name}[{help_text}]")
            else:
                joined = "=" if name.startswith("--") else "+"
                yield _quote(f"{start}{name}{joined}[{help_text}]:{each.metavar}:{_zsh_action(each.offers)}")


def _zsh_places(command: Command) -> Iterator[str]:
    for number, place in enumerate(command.places, 1):
        action = _zsh_action(place.offers)
        if command.name == "append" and number == 1:
            action = "_evstore_stream_or_file"
        yield _quote(f"{'*' if place.repeatable else number}:{place.metavar}:{action}")


def _zsh_action(offers: str) -> str:
    if offers in STORED.values():
        return f"_evstore_names {offers}"
    return {FILES: "_files", AT_FILES: "_evstore_at_files", "": " "}.get(offers, f"({offers})")


# --- fish ---


def _fish(top: list[Option], commands: list[Command]) -> str:
    everywhere = settings_of_all()
    shared = [each for each in top if each.names[-1] in everywhere or "--help" in each.names]
    lines = [_fish_option(None, each) for each in shared]
    lines += [_fish_option('__evstore_at ""', each) for each in top if each not in shared]
    lines += [
        f"complete -c evstore -n '__evstore_at \"\"' -a {each.name} -d {_fish_quote(each.help)}"
        for each in commands
    ]
    for command in commands:
        own = [each for each in command.options if each.names not in {one.names for one in shared}]
        lines += ["", *(_fish_option(f"__evstore_at {command.name}", each) for each in own)]
        if command.runs_another:
            lines.append(f"complete -c evstore -n '__evstore_at {command.name} behind' -a '(__evstore_another)'")
        for number, place in enumerate(command.places, 1):
            at = f"{command.name} {number}{' more' if place.repeatable else ''}"
            if place.offers:
                lines.append(f"complete -c evstore -n '__evstore_at {at}' {_fish_values(place.offers)}")
    return templates.fill(
        fish.FISH,
        longs="\n".join(_fish_case(each.name, list(_longs(each.options))) for each in commands),
        letters="\n".join(_fish_case(each.name, [_letters(each.options)]) for each in commands),
        runs=_running(commands),
        top_longs=" ".join(_longs(top)),
        top_letters=_letters(top),
        lines="\n".join(lines),
    )


def _fish_case(name: str, values: list[str]) -> str:
    return f"        case {name}\n            printf '%s\\n' {' '.join(values)}"


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish_option(condition: str | None, option: Option) -> str:
    words = ["complete -c evstore"]
    if condition:
        words.append(f"-n '{condition}'")
    words += [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if option.metavar:
        words.append(f"-r {_fish_values(option.offers)}")
    return " ".join([*words, f"-d {_fish_quote(option.help)}"])


def _fish_values(offers: str) -> str:
    if offers in STORED.values():
        return f"-f -a '(__evstore_names {offers})'"
    return {FILES: "-F", AT_FILES: "-f -a '(__evstore_at_files)'", "": "-f"}.get(offers, f"-f -a '{offers}'")
