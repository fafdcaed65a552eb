"""What is asked of a frozen part, and when the part itself is built."""

import keras
import pytest
from networks import head_config

from sweeper.models.build import attach_head
from sweeper.models.network_hash import fingerprint
from sweeper.models.prefix import Prefix, PrefixSummary
from sweeper.models.size import Size


def never() -> keras.Model:
    raise AssertionError("nobody needs it")


def test_the_facts_of_a_frozen_part(tiny: keras.Model) -> None:
    parts = attach_head(tiny, head_config(pooling="max"), 3).split_model(None).split()
    assert parts is not None
    network, _ = parts
    kernels = 3 * 3 * 3 * 4 + 2 * 3 * 3 * 4 * 4
    rest = 2 * 4 + 3 * 4 * 4  # two biases, three normalizations
    summary = PrefixSummary.of(network)
    assert summary == PrefixSummary(
        fingerprint(network),
        (4,),
        len(tiny.operations) + 1,
        Size(kernels + rest, 0, 2 * 8 * 8 * kernels),
    )


def test_a_network_is_built_once_and_where_its_facts_are_known_only_to_run(
    tiny: keras.Model,
) -> None:
    built = []

    def build() -> keras.Model:
        built.append(tiny)
        return tiny

    prefix = Prefix(build)
    assert built == []
    assert prefix.summary == PrefixSummary.of(tiny)
    assert prefix.network is tiny
    assert built == [tiny]
    known = Prefix(never, prefix.summary)
    assert known.summary == prefix.summary
    with pytest.raises(AssertionError, match="nobody needs it"):
        _ = known.network
