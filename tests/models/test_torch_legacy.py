"""The reader of legacy torch files: reads tensors, runs nothing."""

import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeper.models.pretrained.torch_legacy import load_state_dict

_MAGIC = 0x1950A86A20F9469CFC6C


class _Global:
    """Pickles as the global ``module.name``, which need not exist."""

    def __init__(self, module: str, name: str) -> None:
        self.path = (module, name)


class _Call:
    """Pickles as a call of a global."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


class _Storage:
    def __init__(self, key: str, count: int) -> None:
        self.pid = ("storage", _Global("torch", "FloatStorage"), key, "cpu", count, None)


class _Pickler(pickle._Pickler):  # the Python one: its opcodes can be written by hand
    def persistent_id(self, item: Any) -> Any:
        return item.pid if isinstance(item, _Storage) else None

    def save(self, item: Any, save_persistent_id: bool = True) -> None:
        if isinstance(item, _Global):
            module, name = item.path
            self.write(b"c" + f"{module}\n{name}\n".encode())
        elif isinstance(item, _Call) and isinstance(item.call[0], _Global):
            self.save(item.call[0])
            self.save(item.call[1])
            self.write(b"R")
        else:
            super().save(item, save_persistent_id)


def _tensor(storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Any:
    rebuild = _Global("torch._utils", "_rebuild_tensor_v2")
    return _Call(rebuild, storage, offset, size, stride, False, OrderedDict())


def _write(path: Path, state: Any, storages: dict[str, Any], magic: int = _MAGIC) -> Path:
    file = io.BytesIO()
    for part in (magic, 1001, {"little_endian": True}, state, list(storages)):
        _Pickler(file, protocol=2).dump(part)
    for array in storages.values():
        file.write(len(array).to_bytes(8, "little") + array.astype("<f4").tobytes())
    path.write_bytes(file.getvalue())
    return path


def test_reads_views_of_one_storage(tmp_path: Path) -> None:
    numbers = np.arange(12)
    storage = _Storage("0", 12)
    state = OrderedDict(
        rows=_tensor(storage, 0, (3, 4), (4, 1)),
        columns=_tensor(storage, 0, (4, 3), (1, 4)),
        tail=_tensor(storage, 10, (2,), (1,)),
        scalar=_tensor(storage, 5, (), ()),
    )
    read = load_state_dict(_write(tmp_path / "f.pth", state, {"0": numbers}))
    np.testing.assert_array_equal(read["rows"], numbers.reshape(3, 4))
    np.testing.assert_array_equal(read["columns"], numbers.reshape(3, 4).T)
    np.testing.assert_array_equal(read["tail"], [10, 11])
    assert read["scalar"] == 5
    assert read["rows"].dtype == np.float32


@pytest.mark.parametrize("place", ["state", "before", "keys"])
def test_refuses_code(tmp_path: Path, place: str) -> None:
    trap = tmp_path / "ran"
    call = _Call(os.mkdir, str(trap))
    file = io.BytesIO()
    parts = [_MAGIC, 1001, {}, {}, []]
    parts[{"before": 0, "state": 3, "keys": 4}[place]] = call
    for part in parts:
        _Pickler(file, protocol=2).dump(part)
    (tmp_path / "f.pth").write_bytes(file.getvalue())
    with pytest.raises(pickle.UnpicklingError, match=r"refused \w+\.mkdir"):
        load_state_dict(tmp_path / "f.pth")
    assert not trap.exists()


@pytest.mark.parametrize(
    "name", ["builtins.eval", "builtins.getattr", "torch._load_global_deps", "numpy.load"]
)
def test_refuses_every_other_global(tmp_path: Path, name: str) -> None:
    module, _, function = name.rpartition(".")
    state = {"x": _Call(_Global(module, function), "1")}
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        load_state_dict(_write(tmp_path / "f.pth", state, {}))


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5,), (1,)),
        (3, (2,), (1,)),
        (-1, (2,), (1,)),
        (0, (2,), (2,)),
        (0, (2,), (0,)),
        (0, (-1,), (1,)),
    ],
    ids=["long", "late", "early", "gaps", "repeats", "negative"],
)
def test_refuses_tensors_outside_their_storage(
    tmp_path: Path, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    state = {"x": _tensor(_Storage("0", 4), offset, size, stride)}
    with pytest.raises(pickle.UnpicklingError, match="tensor"):
        load_state_dict(_write(tmp_path / "f.pth", state, {"0": np.zeros(4)}))


def test_refuses_damaged_files(tmp_path: Path) -> None:
    state = {"x": _tensor(_Storage("0", 4), 0, (4,), (1,))}
    path = _write(tmp_path / "f.pth", state, {"0": np.ones(4)})
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with pytest.raises(EOFError, match="inside storage 0"):
        load_state_dict(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(pickle.UnpicklingError, match="continues"):
        load_state_dict(path)
    with pytest.raises(pickle.UnpicklingError, match="holds 3, not 4"):
        load_state_dict(_write(path, state, {"0": np.ones(3)}))
    with pytest.raises(pickle.UnpicklingError, match="not a legacy torch file"):
        load_state_dict(_write(path, state, {"0": np.ones(4)}, magic=1))
