"""One file per command family: parse, call, print, exit code.

Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 the relay's admin port is not there.
"""

from __future__ import annotations

from importlib import import_module

import click

from relay import __version__

# Loaded when called for: `relay status` must not wait for aiohttp servers and dictionaries to be imported.
COMMANDS = {
    "serve": "relay.cli.serve:serve",
    "check": "relay.cli.check:check",
    "status": "relay.cli.status:status",
    "send": "relay.cli.send:send",
    "preview": "relay.cli.preview:preview",
    "dead-letters": "relay.cli.dead_letters:dead_letters",
    "pause": "relay.cli.switch:pause",
    "resume": "relay.cli.switch:resume",
    "probe": "relay.cli.switch:probe",
    "incidents": "relay.cli.incidents:incidents",
    "report": "relay.cli.incidents:report",
    "failover": "relay.cli.standby:failover",
    "failback": "relay.cli.standby:failback",
    "replay": "relay.cli.replay:replay",
    "simulator": "relay.cli.simulator:simulator",
    "drill": "relay.cli.drill:drill",
    "forget": "relay.cli.forget:forget",
    "trace": "relay.cli.trace:trace",
    "train-dictionary": "relay.cli.train:train_dictionary",
}


class Families(click.Group):
    """A group whose commands are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """In the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the family, take the command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Families, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="relay")
def main() -> None:
    """Keep Segment events while TikTok is down, and replay them when it is back."""
