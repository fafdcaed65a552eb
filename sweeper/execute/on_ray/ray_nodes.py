"""The nodes of the cluster that this process is connected to, and what they have room for."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from sweeper.execute.executor import Asked
from sweeper.execute.on_ray.sent_code import by_value


def of_each(asked: Asked) -> dict[str, float]:
    """What each trial needs, by Ray's names of resources; those of no amount are left out.

    Where nothing is said of GPUs, each trial has one on a cluster that has any.
    """
    import ray

    gpus = asked.num_gpus
    if gpus is None:
        gpus = 1.0 if ray.cluster_resources().get("GPU") else 0.0
    return {"CPU": asked.num_cpus or 1.0, **({"GPU": gpus} if gpus else {})}


def room(needs: Mapping[str, float]) -> int:
    """How many trials fit on the nodes that there are now."""
    import ray

    return sum(
        min(int(node["Resources"].get(name, 0) / amount + 1e-9) for name, amount in needs.items())
        for node in ray.nodes()
        if node["Alive"]
    )


def spelled(amounts: Mapping[str, float]) -> str:
    """``2 CPU, 0.5 GPU``."""
    return ", ".join(f"{amount:g} {name}" for name, amount in amounts.items())


def is_lost(node_id: str) -> bool:
    """Whether the cluster has given that node up."""
    import ray

    with contextlib.suppress(Exception):
        return not any(node["NodeID"] == node_id and node["Alive"] for node in ray.nodes())
    return True


def on_each_node(function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """What ``function`` returns on each node, or the error that Ray has, by the node's address."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote: Any = ray.remote(num_cpus=0, max_retries=0)(by_value(function))
    asked = {
        f"{node['NodeManagerAddress']} ({node['NodeID'][:8]})": remote.options(
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(*arguments)
        for node in ray.nodes()
        if node["Alive"]
    }
    found: dict[str, Any] = {}
    for address, answer in asked.items():
        try:
            found[address] = ray.get(answer)
        except ray.exceptions.RayError as error:
            found[address] = error
    return found
