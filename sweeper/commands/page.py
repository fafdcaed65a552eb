"""The page of ``--help``, as Hydra prints it, without the time that importing Hydra takes."""

from collections.abc import Iterator
from string import Template

import yaml

from sweeper.commands import listing
from sweeper.paths import conf_dir

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def page() -> str:
    """The page of recipes that are shipped; Hydra knows those of other folders."""
    frame = (conf_dir() / "config.yaml").read_text(encoding="utf-8")
    text: str = yaml.load(frame, _LOADER)["hydra"]["help"]["template"]
    groups = "".join(f"{line}\n" for line in _groups())
    return Template(text.replace("${commands:}", listing())).substitute(APP_CONFIG_GROUPS=groups)


def _groups() -> Iterator[str]:
    for group in sorted(path for path in conf_dir().iterdir() if path.is_dir()):
        options = sorted(option.stem for option in group.glob("*.yaml"))
        if options:  # those of Hydra itself lie deeper
            yield f"{group.name}: {', '.join(options)}"
