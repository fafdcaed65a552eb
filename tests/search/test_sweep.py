"""The plugin in an application of its own, in real processes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from omegaconf import OmegaConf
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial
from patience import PATIENCE

from sweeper.search.attributes import CAUSE, LOG_TAIL, OOM, REASON, RETRY_OF

TOY = Path(__file__).with_name("toy_app.py")
STORED = ("hydra.sweeper.storage=sqlite:///studies.db", "hydra.sweeper.study_name=toy")
RANDOM = ("hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=0")
GRID = "hydra/sweeper/sampler=grid"
INLINE = "hydra.sweeper.executor.kind=inline"


def toy(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(TOY), *arguments],
        cwd=folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def sweep(
    folder: Path, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return toy(folder, "-m", *arguments, env=env)


def stored(folder: Path, name: str = "toy") -> list[FrozenTrial]:
    storage = f"sqlite:///{folder}/studies.db"
    return optuna.load_study(study_name=name, storage=storage).trials


def results(folder: Path) -> Any:
    return yaml.safe_load((folder / "out" / "optimization_results.yaml").read_text())


def test_each_trial_is_a_hydra_job_and_its_value_the_objective(tmp_path: Path) -> None:
    ended = sweep(
        tmp_path,
        "x=interval(-1,2)",
        "n=range(1,4)",
        "+extra.rate=choice(0.5,1)",
        "~unused",
        "+fixed=[1,two]",
        "hydra.sweeper.n_trials=4",
        "hydra.sweeper.sampler.seed=1",
        *STORED,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert "(best so far)" in ended.stdout
    trials = stored(tmp_path)
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    for trial in trials:
        folder = tmp_path / "out" / str(trial.number)
        x, n, rate = trial.params["x"], trial.params["n"], trial.params["+extra.rate"]
        assert trial.value == (x - 0.5) ** 2
        config = OmegaConf.to_container(OmegaConf.load(folder / ".hydra" / "config.yaml"))
        extra, fixed = {"rate": rate}, [1, "two"]
        assert config == {"x": x, "n": n, "kind": "ok", "extra": extra, "fixed": fixed}
        overrides = OmegaConf.load(folder / ".hydra" / "overrides.yaml")
        assert list(overrides) == [
            *("~unused", "+fixed=[1,two]"),
            *(f"x={x}", f"n={n}", f"+extra.rate={rate}"),
        ]
        seen = json.loads((folder / "seen.json").read_text())
        assert seen == {"number": trial.number, "n": n, "type": "int"}
        assert f"x is {x}" in (folder / "toy_app.log").read_text()
    best = min(trials, key=lambda trial: trial.value or 0.0)
    assert results(tmp_path) == {
        "name": "optuna",
        "best_params": best.params,
        "best_value": best.value,
        "best_trial": best.number,
    }


def test_names_that_the_screen_cannot_show_end_nothing(tmp_path: Path) -> None:
    ended = sweep(
        tmp_path,
        "x=interval(-1,2)",
        "hydra.sweeper.n_trials=1",
        "hydra.sweeper.study_name='prüfe'",
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert ended.returncode == 0, ended.stderr
    assert "study     pr\\xfcfe (new)" in ended.stdout


def test_as_many_trials_as_jobs_run_at_once(tmp_path: Path) -> None:
    ended = sweep(
        tmp_path,
        "kind=meet",
        "n=3",
        "x=1,2,3",
        GRID,
        "hydra.sweeper.n_jobs=3",
        "hydra/launcher=cluster",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("complete") == 3
    assert "hydra/launcher=cluster is not used" in ended.stdout


@pytest.mark.more
def test_a_study_keeps_the_threads_that_it_began_with(tmp_path: Path) -> None:
    common = (*STORED, *RANDOM, "kind=threads", "x=interval(0,1)", "hydra.sweeper.n_jobs=2")
    sweep(tmp_path, *common, "hydra.sweeper.n_trials=2", "hydra.sweeper.executor.threads=7")
    ended = sweep(tmp_path, *common, "hydra.sweeper.n_trials=4")
    assert "each trial has 7 threads, as the study began" in ended.stdout
    assert [trial.value for trial in stored(tmp_path)] == [7] * 4
    ended = sweep(tmp_path, *common, "hydra.sweeper.n_trials=5", "hydra.sweeper.executor.threads=3")
    assert "warning: the study began with 7 threads a trial and continues with 3" in ended.stdout
    assert stored(tmp_path)[-1].value == 3


@pytest.mark.slow
def test_trials_fail_each_for_its_cause_and_the_sweep_continues(tmp_path: Path) -> None:
    kinds = ["ok", "raise", "kill", "hang", "memory", "device", "nonsense", "nothing", "undefined"]
    ended = sweep(
        tmp_path,
        f"kind={','.join(kinds)}",
        GRID,
        "hydra.sweeper.n_jobs=2",
        "hydra.sweeper.trial_timeout=6",
        "hydra.sweeper.storage=journal:///studies.log",
        "hydra.sweeper.study_name=toy",
        env={"TOY_HANGS": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    journal = JournalStorage(JournalFileBackend(str(tmp_path / "studies.log")))
    trials = optuna.load_study(study_name="toy", storage=journal).trials
    killed = [trial for trial in trials if trial.params["kind"] == "kill"]
    assert len(trials) == len(kinds) + 1
    assert [trial.user_attrs.get(RETRY_OF) for trial in killed] == [None, killed[0].number]
    assert killed[0].user_attrs[REASON] == "killed by SIGKILL; tried again"

    last = {trial.params["kind"]: trial for trial in trials}
    assert last["ok"].state.name == "COMPLETE"
    failed = {kind: trial for kind, trial in last.items() if trial.state.name == "FAIL"}
    printed = {kind: (t.user_attrs[CAUSE], t.user_attrs[REASON]) for kind, t in failed.items()}
    assert printed == {
        "raise": ("raised", "ValueError: boom"),
        "kill": ("killed", "killed by SIGKILL"),
        "hang": ("timeout", "no end after 6 s"),
        "memory": ("oom", "MemoryError"),
        "device": ("oom", "ResourceExhaustedError: no memory left"),
        "nonsense": ("nonsense", "the task returned 'nonsense', not a number"),
        "nothing": ("nonsense", "the task returned None, not a number"),
        "undefined": ("nonsense", "the task returned nan, not a number"),
    }
    for kind, trial in failed.items():
        assert trial.user_attrs[REASON] in ended.stdout
        oom = (True, {OOM: 1.0}) if kind in ("memory", "device") else (None, {})
        assert (trial.user_attrs.get(OOM), trial.constraints) == oom
    tail = failed["device"].user_attrs[LOG_TAIL]
    assert "the last line of its log" in tail
    assert tail.rstrip().endswith("ResourceExhaustedError: no memory left")
    assert "in hangs" in failed["hang"].user_attrs[LOG_TAIL]  # where it hung


@pytest.mark.slow
def test_retries_are_set_for_each_cause(tmp_path: Path) -> None:
    arguments = ("kind=raise,kill,ok", GRID, "hydra.sweeper.retries={raised: 2, killed: 0}")
    ended = sweep(tmp_path, *arguments, *STORED)
    assert ended.returncode == 0, ended.stderr
    kinds = [trial.params["kind"] for trial in stored(tmp_path)]
    assert {kind: kinds.count(kind) for kind in kinds} == {"raise": 3, "kill": 1, "ok": 1}


@pytest.mark.more
@pytest.mark.slow
def test_a_study_that_is_continued_knows_what_ran_out_of_memory(tmp_path: Path) -> None:
    settings = (
        "kind=small",
        "x=interval(0,1)",
        "hydra.sweeper.direction=maximize",
        "hydra.sweeper.max_failure_rate=1",
        "hydra.sweeper.executor.kind=inline",
        "hydra/sweeper/sampler=tpe",
        "hydra.sweeper.sampler.seed=1",
        "hydra.sweeper.sampler.n_startup_trials=4",
        *STORED,
    )

    def proposals(name: str, *totals: int) -> list[float]:
        folder = tmp_path / name
        folder.mkdir()
        for total in totals:
            ended = sweep(folder, *settings, f"hydra.sweeper.n_trials={total}")
            assert ended.returncode == 0, ended.stderr
        trials = stored(folder)
        assert any(trial.user_attrs.get("oom") for trial in trials[:8])
        return [trial.params["x"] for trial in trials]

    assert proposals("continued", 8, 14) == proposals("at once", 14)


@pytest.mark.slow
def test_a_sweep_in_which_all_fail_ends_with_a_message(tmp_path: Path) -> None:
    ended = sweep(tmp_path, "kind=raise", "hydra.sweeper.n_trials=2")
    assert ended.returncode == 1
    assert ended.stderr == (
        "no trial of toy_app completed (ValueError: boom); the log of each is in its folder "
        f"under {tmp_path}/out\n"
    )
    assert results(tmp_path)["best_value"] is None


@pytest.mark.slow
def test_too_many_failures_end_the_sweep_once_that_is_certain(tmp_path: Path) -> None:
    arguments = ("kind=raise", "hydra.sweeper.n_trials=20", "hydra.sweeper.max_failure_rate=0.1")
    ended = sweep(tmp_path, *arguments, *STORED)
    assert ended.returncode == 1
    assert len(stored(tmp_path)) == 3
    assert ended.stderr == (
        "3 of 3 finished trials failed, more than hydra.sweeper.max_failure_rate=0.1 allows; "
        f"the last: ValueError: boom\nlogs: {tmp_path}/out\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "printed"),
    [
        ("target=1", "reached the target 1: "),
        pytest.param(
            "patience=4",
            "4 trials in a row were no better than the best one",
            marks=pytest.mark.more,
        ),
        ("timeout=1", "the timeout of 1 s has passed"),
    ],
)
def test_other_ends_of_a_study(tmp_path: Path, setting: str, printed: str) -> None:
    total = "hydra.sweeper.n_trials=null"
    arguments = ("x=interval(0,2)", f"hydra.sweeper.{setting}", total, INLINE, *RANDOM)
    ended = sweep(tmp_path, *arguments)
    assert ended.returncode == 0
    assert ended.stderr == ""
    assert "ended early: " in ended.stdout
    assert printed in ended.stdout


@pytest.mark.slow
def test_inline_trials_are_jobs_too(tmp_path: Path) -> None:
    arguments = ("x=interval(0,1)", "kind=ok,raise,memory", INLINE, "hydra.sweeper.n_trials=6")
    ended = sweep(tmp_path, *arguments, *RANDOM, *STORED)
    assert ended.returncode == 0, ended.stderr
    trials = stored(tmp_path)
    assert {trial.state.name for trial in trials} == {"COMPLETE", "FAIL"}
    for trial in trials:
        assert (tmp_path / "out" / str(trial.number) / ".hydra" / "config.yaml").exists()


@pytest.mark.more
@pytest.mark.slow
def test_starting_points_go_first_and_a_study_may_learn_from_another(tmp_path: Path) -> None:
    arguments = ("x=interval(0,1)", "n=range(1,4)", "hydra.sweeper.n_trials=3", INLINE)
    assert sweep(tmp_path, *arguments, *STORED).returncode == 0
    best = results(tmp_path)["best_params"]
    ended = sweep(
        tmp_path,
        *arguments,
        *STORED,
        "hydra.sweeper.study_name=second",
        "hydra.sweeper.warm_start=toy",
        "hydra.sweeper.enqueue=[{x: 0.25, n: 2}, out/optimization_results.yaml]",
        "hydra.sweep.dir=second",
    )
    assert ended.returncode == 0, ended.stderr
    assert "the sampler knows 3 trials of study toy" in ended.stdout
    ran = [trial for trial in stored(tmp_path, "second") if "warm_start" not in trial.user_attrs]
    assert ran[0].params == {"x": 0.25, "n": 2}
    assert ran[1].params == best
    assert len(ran) == 3


def test_pruned_trials_say_why(tmp_path: Path) -> None:
    points = [{"x": x, "kind": "report"} for x in (0.1, 0.2, 0.3, 7.5)]
    written = ", ".join(f"{{x: {point['x']}, kind: {point['kind']}}}" for point in points)
    ended = sweep(
        tmp_path,
        "x=interval(0,9)",
        "kind=report,stubborn,optuna",
        f"hydra.sweeper.enqueue=[{written}, {{x: 8.5, kind: stubborn}}, {{x: 1, kind: optuna}}]",
        "hydra.sweeper.n_trials=6",
        "hydra/sweeper/pruner=median",
        "hydra.sweeper.pruner.n_startup_trials=3",
        *STORED,
    )
    assert ended.returncode == 0, ended.stderr
    trials = stored(tmp_path)
    states = [trial.state.name for trial in trials]
    assert states == [*["COMPLETE"] * 3, "PRUNED", "COMPLETE", "PRUNED"]
    assert trials[0].intermediate_values == {0: 0.1, 1: 0.1, 2: 0.1}
    reason = "median pruner: 7.5 at step 0, median 0.2"
    assert trials[3].user_attrs[REASON] == reason
    assert "trial 3 pruned after" in ended.stdout
    assert reason in ended.stdout
    assert trials[4].value == 8.5
    assert trials[5].user_attrs[REASON] == "enough"
    assert "best trial 0: 0.1\n" in ended.stdout
    assert "optimization_results.yaml" in ended.stdout


@pytest.mark.slow
def test_several_objectives_have_a_pareto_set_and_no_pruning(tmp_path: Path) -> None:
    ended = sweep(
        tmp_path,
        "kind=two",
        "x=0.5,0.75,1",
        "n=1,2",
        GRID,
        "hydra.sweeper.direction=[minimize,maximize]",
        "hydra/sweeper/pruner=median",
    )
    assert ended.returncode == 0, ended.stderr
    assert "pruning is off: Optuna prunes studies of one objective only" in ended.stdout
    assert ended.stdout.count(" complete ") == 6
    (solution,) = results(tmp_path)["solutions"]
    assert solution == {
        "params": {"x": 0.5, "n": 2},
        "values": [0.0, 2.0],
        "trial": solution["trial"],
    }


@pytest.mark.slow
def test_a_trial_may_tell_the_study_more(tmp_path: Path) -> None:
    ended = sweep(tmp_path, "kind=note", "x=0.25,1", GRID, *STORED)
    assert ended.returncode == 0, ended.stderr
    trials = {trial.params["x"]: trial for trial in stored(tmp_path)}
    for x, trial in trials.items():
        assert trial.user_attrs["seen"] == f"trial {trial.number} of {{'x': {x}}}"
        assert trial.constraints == {"x": x - 0.5}
    assert "(infeasible)" in ended.stdout
    assert results(tmp_path)["best_trial"] == trials[0.25].number


@pytest.mark.slow
def test_outside_a_sweep_a_report_does_nothing(tmp_path: Path) -> None:
    ended = toy(tmp_path, "kind=report", "hydra.run.dir=alone")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("subdir", "folders"),
    [
        ("of/${hydra.job.num}-${n}", {"of/0-1", "of/1-2", "of/2-1"}),
        # two trials with the same parameters, or all, would write over one another
        ("${hydra.job.override_dirname}", {"n=1-0", "n=2-1", "n=1-2"}),
        ("all", {"all-0", "all-1", "all-2"}),
    ],
)
def test_no_trial_has_the_folder_of_another(tmp_path: Path, subdir: str, folders: set[str]) -> None:
    ended = sweep(
        tmp_path,
        "hydra.sweeper.n_trials=3",
        "n=choice(1,2)",
        "hydra.sweeper.enqueue=[{n: 1}, {n: 2}, {n: 1}]",
        f"hydra.sweep.subdir='{subdir}'",
        *RANDOM,
        *STORED,
    )
    assert ended.returncode == 0, ended.stderr
    made = {str(path.parent.relative_to(tmp_path / "out")) for path in tmp_path.rglob(".hydra")}
    assert made == folders
    assert [trial.state.name for trial in stored(tmp_path)] == ["COMPLETE"] * 3


def test_a_copy_of_a_study_leaves_the_original_as_it_is(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    assert sweep(original, "hydra.sweeper.n_trials=2", "x=interval(0,1)", *STORED).returncode == 0

    def content() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in original.rglob("*") if path.is_file()}

    before = content()
    shutil.copytree(original, copy)
    ended = sweep(copy, "hydra.sweeper.n_trials=3", "x=interval(0,1)", *STORED)
    assert ended.returncode == 0, ended.stderr
    assert content() == before
    assert [trial.user_attrs["folder"] for trial in stored(copy)] == ["0", "1", "2"]
    assert (copy / "out" / "2" / ".hydra").is_dir()


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&- <&-"])
def test_a_sweep_runs_without_standard_streams(tmp_path: Path, closed: str) -> None:
    words = ["-m", "hydra.sweeper.n_trials=2", "x=interval(0,1)", *RANDOM, *STORED]
    ended = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, str(TOY), *words],
        cwd=tmp_path,
        timeout=PATIENCE,
        check=False,
    )
    assert ended.returncode == 0
    assert [trial.state.name for trial in stored(tmp_path)] == ["COMPLETE"] * 2


CONDITIONAL = """
defaults: [{override hydra/sweeper: async_optuna}, {override hydra/sweeper/sampler: bruteforce}]
x: 1.0
n: 1
kind: ok
optimizer: adam
momentum: null
hydra:
  sweep: {dir: out, subdir: "${hydra.job.num}"}
  sweeper:
    storage: sqlite:///studies.db
    study_name: toy
    n_trials: null
    params:
      momentum: {when: {optimizer: sgd}, value: "choice(0.5,0.9)"}
      optimizer: choice(adam, sgd)
      n:
        - {when: {momentum: 0.9}, value: "range(1, 3)"}
        - {when: {optimizer: adam}, value: 5}
"""


def test_parameters_may_depend_on_others(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(CONDITIONAL)
    ended = sweep(tmp_path, "--config-dir=.", "--config-name=recipe")
    assert ended.returncode == 0, ended.stderr
    configs = [
        OmegaConf.load(tmp_path / "out" / str(trial.number) / ".hydra" / "config.yaml")
        for trial in stored(tmp_path)
    ]
    assert sorted((c.optimizer, c.momentum or 0, c.n) for c in configs) == [
        ("adam", 0, 5),
        ("sgd", 0.5, 1),
        ("sgd", 0.9, 1),
        ("sgd", 0.9, 2),
    ]


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["nope=choice(1,2)"], ["cannot set nope: the recipe has no nope"]),
        (
            ["hydra.sweeper.direction=up", "hydra.sweeper.n_trials=0", INLINE, "x=range(1,1)"],
            ["direction must be minimize or maximize, got 'up'", "n_trials must be >= 1, got 0"],
        ),
        pytest.param(
            ["hydra/sweeper/sampler=random", "hydra.sweeper.enqueue=[{y: 1}]"],
            ["y is not searched"],
            marks=pytest.mark.more,
        ),
    ],
)
def test_what_cannot_run_is_refused_before_a_trial_exists(
    tmp_path: Path, arguments: list[str], printed: list[str]
) -> None:
    ended = sweep(tmp_path, *arguments)
    assert ended.returncode == 2
    for fault in printed:
        assert fault in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out" / "0").exists()


@pytest.mark.more
def test_a_study_ends_where_more_trials_could_gain_too_little(tmp_path: Path) -> None:
    ended = sweep(
        tmp_path,
        *("x=interval(0,1)", *RANDOM, INLINE, *STORED),
        *("hydra.sweeper.n_trials=null", "hydra.sweeper.min_gain=0.5"),
    )
    assert ended.returncode == 0, ended.stderr
    assert "no limit to their number, the sweep ends when more could gain less than 0.5" in (
        ended.stdout
    )
    assert "ended early: more trials could gain 0." in ended.stdout
    assert len(stored(tmp_path)) >= 20
    kept = json.loads((tmp_path / "out" / "gain.json").read_text())
    assert 0 <= kept["most"] < 0.5
    # the same command looks before it begins a trial
    count = len(stored(tmp_path))
    assert (
        "ended early: more trials could gain 0."
        in sweep(
            tmp_path,
            *("x=interval(0,1)", *RANDOM, INLINE, *STORED),
            *("hydra.sweeper.n_trials=null", "hydra.sweeper.min_gain=0.5"),
        ).stdout
    )
    assert len(stored(tmp_path)) == count


def test_what_nobody_can_tell_ends_no_study(tmp_path: Path) -> None:
    ended = sweep(tmp_path, "x=1,2", GRID, INLINE, "hydra.sweeper.min_gain=error")
    assert ended.returncode == 2
    assert "hydra.sweeper.min_gain=error needs an application that knows" in ended.stderr
    assert not (tmp_path / "out").exists()
