"""Commands whose help fits one screen and ends with an example to copy."""

import click
from typer.core import TyperCommand, TyperGroup

SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}


def example(*lines: str) -> str:
    """The end of a help text, kept line by line."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


class Command(TyperCommand):
    """One command."""

    def get_help(self, ctx: click.Context) -> str:
        return _plain(super().get_help(ctx))


class Group(TyperGroup):
    """Commands under one name; an unknown one names the nearest."""

    def get_help(self, ctx: click.Context) -> str:
        return _plain(super().get_help(ctx))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands only: the one option there is was just used, and the screen is needed for them."""
        self.format_commands(ctx, formatter)


def _plain(text: str) -> str:
    """Typer escapes brackets for a markup that is switched off here."""
    return text.replace("\\[", "[")
