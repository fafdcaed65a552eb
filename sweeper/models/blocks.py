"""Where a network can be cut, and the blocks that lie between the cuts.

A cut is a place where one tensor alone crosses the graph; it is found from the graph, so that it
exists for every functional model. A block is what lies between two cuts: at the ones where the
layer names start another block (``block6a_...``) or say that one ended (``mixed3``), or, where no
name marks a block, at all of them. NASNet's cells read the two cells before them, so that no single
tensor crosses between them: there the names alone end a block, and two or three tensors cross.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

_STARTS = (
    (r"(block\d+_\d+)(?=_|$)", r"\1"),  # InceptionResNetV2: block35_1_conv
    (r"convnext_[a-z]+_((?:stage_\d+|downsampling)_block_\d+)(?=_|$)", r"\1"),
    (r"((?:\w+?_)??block_?\d+[a-z]?)(?=_|$)", r"\1"),  # block6a_, block_12_, conv4_block2_
    (r"(expanded_conv(?:_\d+)?)(?=_)", r"\1"),  # MobileNets V2 (its first block) and V3
    (r"conv_(?:pad|dw|pw)_(\d+)(?=_|$)", r"block_\1"),  # MobileNet
    (r"(pool\d+)(?=_)", r"\1"),  # DenseNet's transitions
)
"""How the name of a layer tells that it is in a block, and the name of the block."""

_ENDS = (
    (r"(mixed\d+|mixed_\d[a-z])$", r"\1"),  # Inception, InceptionResNetV2
    (r"(?:normal|reduction)_concat_(\w+)$", r"cell_\1"),  # NASNet
)
"""How the name of a layer tells that a block ends with it."""

NOT_LEARNING = (keras.layers.BatchNormalization, keras.layers.Normalization)
"""Layers that a block is not a block for: they have weights, and follow statistics."""


@dataclass(frozen=True)
class Block:
    """Layers that freeze and unfreeze together; ``output`` is the one whose output ends them."""

    name: str
    layers: tuple[str, ...]
    output: str


def _mark(name: str, marks: Iterable[tuple[str, str]]) -> str | None:
    for pattern, block in marks:
        match = re.match(pattern, name)
        if match:
            return match.expand(block)
    return None


@dataclass(frozen=True)
class _Segment:
    """What lies between two neighbouring cuts."""

    operations: tuple[keras.Operation, ...]

    @property
    def marks(self) -> list[str]:
        end = _mark(self.operations[-1].name, _ENDS)
        if end:
            return [end]
        found = (_mark(operation.name, _STARTS) for operation in self.operations)
        return [mark for mark in found if mark]

    @property
    def first_learner(self) -> str | None:
        """First layer that can train: normalization statistics never do, see ``freezing``."""
        return next(
            (
                operation.name
                for operation in self.operations
                if isinstance(operation, keras.Layer)
                and operation.weights
                and not isinstance(operation, NOT_LEARNING)
            ),
            None,
        )


def inputs_of(operation: keras.Operation) -> list[Any]:
    """Tensors that an operation of a functional model, which calls it once, takes."""
    if isinstance(operation, keras.layers.InputLayer):
        return []
    return list(keras.tree.flatten(operation.input))


def _outputs(operation: keras.Operation) -> list[Any]:
    return list(keras.tree.flatten(operation.output))


def crossings(model: keras.Model) -> Iterator[tuple[keras.Operation, bool]]:
    """Operations in topological order, each with whether its output alone is needed later on.

    The model can be cut there: ``keras.Model(model.input, cut)`` and ``keras.Model(cut,
    model.output)`` are then the whole. This does not depend on the order chosen: every operation is
    before such a tensor or after it.

    Raises:
        ValueError: the model calls a layer more than once.
    """
    operations = list(model.operations)
    made = {id(tensor) for operation in operations for tensor in _outputs(operation)}
    uses = Counter(id(tensor) for operation in operations for tensor in inputs_of(operation))
    uses.update(id(tensor) for tensor in model.outputs)
    if not made.issuperset(uses):
        raise ValueError(f"a layer of {model.name} is called twice; it cannot be cut into blocks")
    alive: set[int] = set()
    for operation in operations:
        for tensor in inputs_of(operation):
            uses[id(tensor)] -= 1
            if not uses[id(tensor)]:
                alive.discard(id(tensor))
        alive.update(id(tensor) for tensor in _outputs(operation))
        yield operation, len(alive) == 1


def divide(model: keras.Model, lower: Sequence[Block]) -> tuple[keras.Model, keras.Model]:
    """The ``lower`` blocks, counted from the input, and the rest, as two models that share layers.

    What the first returns, a tensor or (NASNet) a list of them, is what the second takes.
    """
    inside = {name for block in lower for name in block.layers}
    above = [operation for operation in model.operations if operation.name not in inside]
    needed = {id(tensor) for operation in above for tensor in inputs_of(operation)}
    crossing = [
        tensor
        for operation in model.operations
        if operation.name in inside
        for tensor in _outputs(operation)
        if id(tensor) in needed
    ]
    cut = crossing[0] if len(crossing) == 1 else crossing
    frozen = keras.Model(model.input, cut, name="frozen")
    return frozen, keras.Model(cut, model.output, name="unfrozen")


def _segments(model: keras.Model) -> list[_Segment]:
    segments: list[_Segment] = []
    run: list[keras.Operation] = []
    for operation, alone in crossings(model):
        run.append(operation)
        if alone or _mark(operation.name, _ENDS):
            segments.append(_Segment(tuple(run)))
            run = []
    if run or not segments:
        raise ValueError(f"{model.name} has more than one output; it cannot be cut into blocks")
    return segments


def _labels(segments: Sequence[_Segment]) -> Iterable[str]:
    """Name of the block that each segment is part of."""
    marked = [index for index, segment in enumerate(segments) if segment.marks]
    label = "stem"
    for index, segment in enumerate(segments):
        if not marked:
            label = segment.first_learner or segment.operations[-1].name
        elif index > marked[-1]:
            label = "top"
        elif segment.marks and label not in segment.marks:
            label = segment.marks[0]
        yield label


def find_blocks(model: keras.Model) -> tuple[Block, ...]:
    """Blocks of a functional model, from its input to its top; every layer is in exactly one.

    What precedes the first marked block is ``stem``, what follows the last is ``top``; unmarked
    layers in between belong to the marked block that they follow. A part in which nothing can
    train (rescaling, activations, BatchNormalization) is no block of its own: it joins the one
    before it, or the first.

    Raises:
        ValueError: the model calls a layer more than once, has several outputs, or nothing in it
            can train.
    """
    segments = _segments(model)
    labelled = zip(_labels(segments), segments, strict=True)
    blocks: list[tuple[str, list[_Segment]]] = []
    waiting: list[_Segment] = []
    for label, group in itertools.groupby(labelled, key=lambda pair: pair[0]):
        part = [segment for _, segment in group]
        if any(segment.first_learner for segment in part):
            blocks.append((label, [*waiting, *part]))
            waiting = []
        elif blocks:
            blocks[-1][1].extend(part)
        else:
            waiting.extend(part)
    if not blocks:
        raise ValueError(f"nothing in {model.name} can train; it has no blocks")
    return tuple(_block(name, part) for name, part in blocks)


def _block(name: str, segments: Sequence[_Segment]) -> Block:
    names = [operation.name for segment in segments for operation in segment.operations]
    return Block(name, tuple(names), names[-1])
