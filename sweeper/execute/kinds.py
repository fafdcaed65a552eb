"""Kinds of executors, by name: the one place where a kind is added."""

from collections.abc import Mapping

from sweeper.execute.executor import ExecutorKind
from sweeper.execute.inline import InlineExecutor
from sweeper.execute.on_ray.ray_executor import RayExecutor
from sweeper.execute.process import ProcessExecutor

EXECUTORS: Mapping[str, ExecutorKind] = {
    "process": ProcessExecutor,
    "inline": InlineExecutor,
    "ray": RayExecutor,
}
