"""Before Hydra makes the folder of a single fine-tune: can it run, and is the folder free?"""

import atexit
import contextlib
import shutil
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from sweeper.addresses import hide_credentials
from sweeper.app.preparing.readiness import check_ready
from sweeper.asked_faults import asked_fault
from sweeper.disk.locks import InUse, held
from sweeper.disk.writable import too_long, unwritable
from sweeper.errors import Findings, SweeperError
from sweeper.exits import reported
from sweeper.validation import parse


class Start(Callback):
    """``hydra.callbacks.start``: a command that is refused leaves nothing behind."""

    new: ClassVar[list[Path]] = []
    """The folder of this process's fine-tune and those above it, as far as it made them."""
    lock: ClassVar[contextlib.ExitStack] = contextlib.ExitStack()
    """Keeps other processes out of a folder that a person named."""

    def on_run_start(self, config: DictConfig, **_named: Any) -> None:
        """Refuse what cannot run, and have the folder for this process alone.

        Ends the process with one message where something is wrong.
        """
        with reported():
            findings = Findings()
            with findings.collected():
                parse(config)
            check_ready([config], findings)
            folder = Path(str(config.hydra.run.dir)).absolute()
            _check_job(config, folder, findings)
            if reason := unwritable(folder):
                findings.add([f"hydra.run.dir: {reason}, or set hydra.run.dir=<folder>"])
            findings.raise_if_any()
            with read_write(config), open_dict(config):
                config.tracking.uri = hide_credentials("tracking.uri", str(config.tracking.uri))
                if "${now:" in _written(config):
                    config.hydra.run.dir = str(self._take_new(folder))
                else:
                    self._take(folder)

    def _take_new(self, folder: Path) -> Path:
        """Make ``folder``, or where it is another run's the first ``<folder>-<n>`` that is free."""
        count, path = 1, folder
        while True:
            new = _absent(path)
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                count += 1
                path = folder.with_name(f"{folder.name}-{count}")
                continue
            Start.new = [path, *new[1:]]
            return path

    def _take(self, folder: Path) -> None:
        """Keep other processes out of a folder that a person named."""
        Start.new = _absent(folder)
        lock = contextlib.ExitStack()
        try:
            lock.enter_context(held(folder))
        except InUse:
            raise SweeperError(
                f"another process writes to {folder}; wait for it or end it, or choose another "
                "folder with hydra.run.dir=<folder>"
            ) from None
        Start.lock = lock
        atexit.register(lock.close)

    @classmethod
    def undo(cls) -> None:
        """Remove the folder that this process has made, and those above it that are empty."""
        cls.lock.close()
        if cls.new:
            shutil.rmtree(cls.new[0], ignore_errors=True)
            with contextlib.suppress(OSError):
                for above in cls.new[1:]:
                    above.rmdir()


def _check_job(config: DictConfig, folder: Path, findings: Findings) -> None:
    """Resolve what Hydra reads only when it has made ``folder``."""
    try:
        below, _ = config.hydra.output_subdir, config.hydra.job.chdir
    except OmegaConfBaseException as error:
        findings.add([asked_fault(error) or str(error)])
        return
    if below is not None and (reason := too_long(folder / str(below))):
        findings.add([f"hydra.output_subdir: {reason}"])


def _written(config: DictConfig) -> str:
    plain = OmegaConf.to_container(config.hydra.run, resolve=False)
    assert isinstance(plain, dict)
    return str(plain["dir"])


def _absent(folder: Path) -> list[Path]:
    return [path for path in (folder, *folder.parents) if not path.exists()]
