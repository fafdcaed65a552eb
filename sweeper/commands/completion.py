"""``sweeper completion``: what a shell needs to complete commands, options and overrides."""

import click
from click.shell_completion import get_completion_class

from sweeper.commands import COMPLETE

_BASH = """\
# an override is one word
COMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}
{script}
_sweeper_words() {{
    _sweeper_completion "$@"
    [[ ${{COMPREPLY[0]}} == *[=./] ]] && compopt -o nospace
    return 0
}}
complete -o nosort -F _sweeper_words sweeper
"""


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script that completes commands, options and overrides of sweeper in SHELL.

    For bash put this line into ~/.bashrc: eval "$(sweeper completion bash)"
    """
    completion = get_completion_class(shell)
    assert completion is not None
    root = click.get_current_context().find_root().command
    script = completion(root, {}, "sweeper", COMPLETE).source()
    print(_BASH.format(script=script) if shell == "bash" else script)
