"""What a person can ask for beside a fine-tune or a sweep, one module a command.

A command is a module of this package, named as in the table below, with a click command called
``command``, which returns its exit code or None. It imports what is heavy when it runs, so that
help and shell completion stay fast.
"""

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "backbones": "list the networks that backbone= takes",
    "cache": "list, verify and clear what is kept for all sweeps",
    "compare": "set the winners of several studies side by side",
    "completion": "print the script that completes words in a shell",
    "dashboard": "open optuna-dashboard on the studies, with links to their MLflow runs",
    "data": "find duplicates, leaks and likely wrong labels of a data set",
    "doctor": "check this machine, and what a recipe needs of it",
    "evaluate": "judge a study's winner, or another model, on a data set",
    "export": "write a model as files for other programs, each checked against it",
    "improve": "make calibrated, ensemble and soup models of a study's trials",
    "predict": "predict the classes of images, by a study's winner or another model",
    "promote": "make a model the champion in MLflow, if it is better beyond chance",
    "report": "write all about a study, running or finished, as one HTML file",
    "serve": "answer over HTTP with the classes of images",
    "summary": "show the network of a recipe, and what of it trains",
    "sync": "deliver to MLflow what it lacks of the runs below a folder",
}
"""Every command and what it does."""

COMPLETE = "_SWEEPER_COMPLETE"
"""Variable of the environment in which a shell asks what completes a word."""


def listing() -> str:
    """The commands as ``--help`` shows them, a line each."""
    return "\n".join(f"  sweeper {name:<12} {what}" for name, what in COMMANDS.items())
