"""``python -m sweeper``: Hydra in, wiring, nothing else."""

import sys

import hydra
from omegaconf import OmegaConf

from sweeper.app import fine_tune
from sweeper.arguments import check_arguments, overrides_last
from sweeper.errors import SweeperError
from sweeper.paths import conf_dir


def main() -> None:
    """Compose a recipe from the command line and run it, or with ``-m`` search over it."""
    OmegaConf.register_new_resolver("zero_pad", lambda n: f"{n:04d}", replace=True)
    try:
        sys.argv[1:] = overrides_last(sys.argv[1:])
        check_arguments(sys.argv[1:])
    except SweeperError as error:
        sys.exit(str(error))
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(fine_tune)()


if __name__ == "__main__":
    main()
