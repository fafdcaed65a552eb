"""What keeps recipes from running that can be seen in a moment, without importing TensorFlow."""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig

from sweeper.app.preparing.memory import oversized
from sweeper.data.sources.data_presence import absent
from sweeper.errors import Findings
from sweeper.models.pretrained.weights_presence import absent_file, unreachable_download
from sweeper.track.check import tracking_faults
from sweeper.validation import parse_part


def check_ready(configs: Sequence[DictConfig], findings: Findings) -> None:
    """Add to ``findings`` what is not there: data, weights, a place to record runs, memory.

    Of configurations that have other faults too, what can be read is looked at.
    """
    for dataset in _distinct(configs, "dataset"):
        findings.lacks(absent(dataset))
    backbones = _distinct(configs, "backbone")
    for backbone in backbones:
        findings.lacks(absent_file(backbone))
    sizes = {(parse_part(one, "image_size"), parse_part(one, "batch_size")) for one in configs}
    for image_size, batch_size in sorted(size for size in sizes if None not in size):
        findings.add(filter(None, [oversized(image_size, batch_size)]))
    for tracking in _distinct(configs, "tracking"):
        findings.add(tracking_faults(tracking.uri, tracking.experiment))
    if findings:  # now that it ends here, what a download would show later
        for backbone in backbones:
            findings.lacks(unreachable_download(backbone))


def _distinct(configs: Sequence[DictConfig], key: str) -> list[Any]:
    parts = (parse_part(config, key) for config in configs)
    return list(dict.fromkeys(part for part in parts if part is not None))
