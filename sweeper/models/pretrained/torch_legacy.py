"""Read a legacy (pre-zip) ``torch.save`` state dict with numpy alone; no code in the file can run.

The layout is that of ``torch.serialization._legacy_save``: five pickles (magic number, protocol,
system information, the object, the keys of its storages), then each storage as an int64 count
and raw little-endian numbers.
"""

import math
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


class _Storage:
    """A flat run of numbers; the pickle names it before its numbers are read."""

    def __init__(self, dtype: str, count: int) -> None:
        self.data: NDArray[Any] = np.zeros(count, dtype)


class _Tensor:
    """A view of a storage, taken once the storage is filled."""

    def __init__(
        self,
        storage: _Storage,
        offset: int,
        size: tuple[int, ...],
        stride: tuple[int, ...],
        *_ignored: object,
    ) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def array(self) -> NDArray[Any]:
        # slices, reshapes and transpositions cannot leave the storage, whatever strides might
        order = sorted(range(len(self.size)), key=lambda axis: -self.stride[axis])
        size = [self.size[axis] for axis in order]
        dense = [math.prod(size[place + 1 :]) for place in range(len(size))]
        if any(
            self.size[axis] > 1 and self.stride[axis] != step
            for axis, step in zip(order, dense, strict=True)
        ):
            raise pickle.UnpicklingError(f"tensor {self.size} with gaps, strides {self.stride}")
        end = self.offset + math.prod(size)
        if min((self.offset, *size)) < 0 or end > self.storage.data.size:
            raise pickle.UnpicklingError("tensor outside its storage")
        view = self.storage.data[self.offset : end].reshape(size)
        return view.transpose(np.argsort(order)).copy()


class _Unpickler(pickle.Unpickler):
    """Knows the globals a state dict needs and refuses every other."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"refused {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, count, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"refused persistent id {pid!r}")
        return self.storages.setdefault(key, _Storage(dtype, count))


def load_state_dict(path: Path) -> dict[str, NDArray[Any]]:
    """Tensors of the file by name, in the file's order.

    Raises:
        pickle.UnpicklingError: the file asks for anything but tensors, or is no legacy torch file.
        EOFError: the file ends too early.
    """
    with path.open("rb") as file:
        magic, protocol, _system = (_Unpickler(file).load() for _ in range(3))
        if magic != _MAGIC or protocol != _PROTOCOL:
            raise pickle.UnpicklingError(f"{path} is not a legacy torch file")
        reader = _Unpickler(file)
        state = reader.load()
        for key in _Unpickler(file).load():
            data = reader.storages[key].data
            count = int.from_bytes(file.read(8), "little")
            raw = file.read(data.nbytes)
            if count != data.size:
                raise pickle.UnpicklingError(f"storage {key} holds {count}, not {data.size}")
            if len(raw) != data.nbytes:
                raise EOFError(f"{path} ends inside storage {key}")
            data[:] = np.frombuffer(raw, data.dtype)
        if file.read(1):
            raise pickle.UnpicklingError(f"{path} continues after its last storage")
    return {name: tensor.array() for name, tensor in state.items()}
