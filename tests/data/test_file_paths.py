"""Paths that are held in little memory are those that were given."""

import os
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sweeper.data.sources.file_paths import Paths

names = st.lists(
    st.binary(min_size=1, max_size=8).map(lambda name: name.replace(b"\0", b"0")), max_size=6
)


@given(
    st.sampled_from([Path("/data"), Path("/data/my photos"), Path("/"), Path("relative")]), names
)
def test_they_are_as_they_were(root: Path, found: list[bytes]) -> None:
    inside = [str(root / os.fsdecode(name.replace(b"/", b"_"))) for name in found]
    given_paths = [*inside, "/elsewhere/a.png"]
    paths = Paths(root, iter(given_paths))
    assert list(paths) == given_paths
    assert len(paths) == len(given_paths)
    assert paths[-1] == given_paths[-1]
    assert paths[1:] == given_paths[1:]
    places = np.arange(len(given_paths))[::2]
    assert paths.encoded(places).tolist() == [os.fsencode(path) for path in given_paths[::2]]
