"""Groups of commands that name the nearest command where one is not known."""

import click


class NamingGroup(click.Group):
    """A group that answers an unknown command with those that there are, the nearest first."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command.

        Raises:
            click.UsageError: There is none of that name.
        """
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            raise click.UsageError(self.unknown(args[0], ctx), ctx)
        return super().resolve_command(ctx, args)

    def unknown(self, typed: str, ctx: click.Context) -> str:
        """The message for a command that is not known."""
        from catalogs.names import unknown_name

        names = self.list_commands(ctx)
        return unknown_name("command", typed, names, few=len(names))
