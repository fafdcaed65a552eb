"""What docs/cluster.md hands out is as Slurm, Kubernetes and sweeper read it."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from sweeper.search.settings.defaults import SAMPLERS
from sweeper.search.settings.sweep_settings import SweepSettings

DOCS = Path(__file__).parents[1] / "docs"


def sweep_settings(words: list[str]) -> SweepSettings:
    """What ``hydra.sweeper`` is by a command line."""
    parser = OverridesParser.create()
    overrides = parser.parse_overrides([word for word in words if "=" in word])
    prefix = "hydra.sweeper."
    keys = {one.key_or_group: one.value() for one in overrides}
    own = {key.removeprefix(prefix): v for key, v in keys.items() if key.startswith(prefix)}
    return SweepSettings.read({"sampler": SAMPLERS["tpe"], **own})


def test_the_script_for_slurm_is_one(tmp_path: Path) -> None:
    script = DOCS / "slurm.sh"
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n#SBATCH ")
    # with Slurm's commands replaced by ones that show what they are called with
    for name in ("srun", "scontrol"):
        body = 'printf "%s\\n" "$@"' if name == "srun" else "echo node-a; echo node-b"
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to("/bin/true")
    (tmp_path / ".venv/bin/activate").touch()
    ran = subprocess.run(
        ["bash", script, "+experiment=dogs_b0", "hydra.sweeper.n_trials=200"],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            **{"SLURM_JOB_NODELIST": "node-[a-b]", "SLURM_NNODES": "2", "SLURM_JOB_ID": "4711"},
        },
        capture_output=True,
        text=True,
        check=True,
    )
    words = ran.stdout.splitlines()
    assert words[:4] == ["--nodes=2", "--ntasks=2", "ray", "symmetric-run"]
    command = words[words.index("--") + 1 :]
    assert command[:4] == ["python", "-m", "sweeper", "+experiment=dogs_b0"]
    settings = sweep_settings(command)
    assert (settings.n_trials, settings.executor.kind) == (200, "ray")
    assert settings.executor.address == words[words.index("--address") + 1] == "node-a:24711"


def test_the_job_for_kubernetes_is_one() -> None:
    job = yaml.safe_load((DOCS / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[:4] == ["python", "-m", "sweeper", "+experiment=dogs_b0"]
    executor = sweep_settings(words).executor
    assert (executor.kind, executor.num_cpus, executor.num_gpus) == ("ray", 4, 1)
    cluster = job["spec"]["rayClusterSpec"]
    pinned = (DOCS.parent / "constraints.txt").read_text()
    assert f"\nray=={cluster['rayVersion']}\n" in pinned
    (worker,) = cluster["workerGroupSpecs"]
    (container,) = worker["template"]["spec"]["containers"]
    limits = container["resources"]["limits"]
    assert (limits["cpu"], limits["nvidia.com/gpu"]) == ("4", "1")
    assert sweep_settings(words).n_jobs == worker["maxReplicas"]


@pytest.mark.parametrize("page", ["cluster.md"])
def test_settings_on_the_page_are_taken(page: str) -> None:
    found = re.findall(r"hydra\.sweeper\.executor='(\{.*?\})'", (DOCS / page).read_text())
    assert found
    for text in found:
        assert sweep_settings([f"hydra.sweeper.executor={text}"]).executor.kind == "ray"


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (DOCS.parent / "Makefile").read_text(), re.M))


def test_the_workflow_calls_targets_that_exist() -> None:
    workflow = yaml.safe_load((DOCS / "github-actions.yml").read_text())
    jobs = workflow["jobs"].values()
    runs = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    called = {word for run in runs for word in run.removeprefix("make ").split()}
    assert all(run.startswith("make ") for run in runs)
    assert {"setup", "lint", "type", "test", "sweep"} <= called <= targets()
    (kept,) = (
        step["with"]["path"]
        for job in jobs
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/upload-artifact")
    )
    assert kept == "experiments/digits_lite0/report.html"


def test_the_image_is_made_of_what_is_there() -> None:
    lines = (DOCS / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert copied
    assert all((DOCS.parent / name).exists() for name in copied)
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    named = re.findall(r"EXTRAS=([\w,]+)", "\n".join(lines))
    assert set(",".join(named).split(",")) <= set(project["optional-dependencies"])
    assert 'ENTRYPOINT ["python", "-m", "sweeper"]' in lines


def test_pages_name_targets_that_exist() -> None:
    pages = [*DOCS.glob("*.md"), DOCS.parent / "README.md", DOCS.parent / "SECURITY.md"]
    called = {name for page in pages for name in re.findall(r"`make ([a-z-]+)`", page.read_text())}
    assert called <= targets()
