"""Imported last by the fork server, so that each trial's process is ready when it starts.

Work on import is what this module is for: finding Hydra's plugins takes longer than starting a
process.
"""

import gc

import hydra._internal.logging_config
import hydra._internal.utils
import hydra.core.utils  # noqa: F401
from hydra.core.plugins import Plugins
from omegaconf import OmegaConf

import sweeper.search.trials.job  # noqa: F401

Plugins.instance()
# the parser of interpolations learns its grammar's decisions at first use
assert OmegaConf.create({"a": {"b": "c"}, "d": "[%(x)s] ${a.b}/${a.b}.log"}).d
# a collection in a trial's process would write to, and so copy, every page that it shares
gc.collect()
gc.freeze()
