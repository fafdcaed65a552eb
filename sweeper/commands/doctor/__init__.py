"""``sweeper doctor``: what a recipe needs of this machine, and whether it is there."""

import os

import click

from sweeper.commands.recipe_command import composed, recipe_command


@recipe_command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a page.")
def command(overrides: tuple[str, ...], as_json: bool) -> int:
    """Look at versions, devices, memory, disks, stores, data and speed of this machine.

    OVERRIDES name a recipe, as for a fine-tune: +experiment=dogs_b0 precision=mixed_bfloat16. Exit
    code 1 where something is broken.
    """
    from sweeper.commands.doctor.doctor_report import is_broken, print_page, to_json
    from sweeper.commands.doctor.look import look
    from sweeper.display.console import open_console

    keras_backend = os.environ.get("KERAS_BACKEND")  # composing sets it
    config = composed(overrides)
    console = open_console()
    # a terminal shows that something happens; JSON is for programs
    with console.status("starting TensorFlow, measuring: half a minute"):
        lines = list(look(config, keras_backend))
    if as_json:
        print(to_json(lines))
    else:
        print_page(lines, console)
    return 1 if is_broken(lines) else 0
