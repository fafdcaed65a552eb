"""The table of backbones in the documentation, and the schema's idea of every option."""

import re

from sweeper import config, keras_api
from sweeper.models import catalogue
from sweeper.paths import PACKAGE

PAGE = PACKAGE.parent / "docs" / "backbones.md"


def test_every_network_of_keras_has_an_option_and_no_two_have_the_same() -> None:
    names = [backbone.name for backbone in catalogue.options().values()]
    assert sorted(names) == sorted([*keras_api.application_names(), config.LITE0, config.SCALED])


def test_options_are_named_after_their_network() -> None:
    for option, backbone in catalogue.options().items():
        if backbone.name != config.SCALED:
            assert option.replace("_", "") == backbone.name.lower()


def test_the_documented_table_says_what_the_recipes_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    lines = page.split(catalogue.HEADER, 1)[1].split("\n\n")[0].strip().splitlines()
    counts = re.compile(r"(?<=\| )[\d,]{7,}(?= \|)")  # known to the networks alone
    documented = [counts.sub("", line) for line in lines]
    assert documented == [catalogue.row(*item, None) for item in catalogue.options().items()]
