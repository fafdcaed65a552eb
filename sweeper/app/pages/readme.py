"""The page that explains a study's folder to a person who opens it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.addresses import redact
from sweeper.disk.files import write_aside
from sweeper.display.wording import command, spelled_params, spelled_values
from sweeper.paths import shown_path
from sweeper.records import State, StudySummary
from sweeper.search.hooks import Entry
from sweeper.study_files.study_paths import PAGE_MARK, StudyPaths

_FILES = """\
| file | what it holds |
|---|---|
| `leaderboard.csv` | Every trial, the best first: its number, how it ended, {objectives}, the 95 % interval of the first (`_low`, `_high`), its `standing` beside the best (`tied`: the difference may be chance; both are filled in when the sweep ends), the means of its runs with other seeds where there are some (`confirmed_...`), seconds, the parameters it had, and why it was pruned or failed. Opens in any spreadsheet. |
| `report.html` | The result to read: how sure it is, curves, what counted, what it cost, mistakes, data, what to do next. One file, opens in any browser. Written when the sweep ends; `sweeper report {folder}` writes it at any time. |
| `winner.yaml` | The best trial: parameters, validation results of the kept model, the means of its runs with other seeds where `confirm` asks for them, and its test results (`test_loss`, `test_accuracy` with its 95 % interval from `test_accuracy_low` to `test_accuracy_high`, `test_images`). Written when the sweep ends. |
| `best.yaml` | The whole recipe of the best trial, ready to run. Written when the sweep ends. |
| `confirmed.json` | With `confirm`: the best trials that were run again with other seeds, what the search had measured, each run, the mean with its 95 % interval, and which one was chosen. Written when all runs have ended. |
| `gain.json` | What more trials could gain at most (`most`), beside the standard error of the best figure (`error`), or `why` nobody knows. Written when the search ends. |
| `optimization_results.yaml` | The best trial's parameters and value, or the Pareto front of several objectives, under the names of hydra-optuna-sweeper. Another sweep tries them first with `hydra.sweeper.enqueue=[{folder}/optimization_results.yaml]`. |
| `multirun.yaml` | Hydra's configuration of the sweep itself: search space, sampler, pruner. |
| `study.json` | Name and id of the study, and what it judges trials by. |
| `mlflow/` | What MLflow is to get of the study's own run: see `... mlflow/` below. |
| `logs/prepare.log` | Output of the process that looked for data and weights, and computed what all trials share. |
| `logs/server.log` | Output of the process that starts the trials' processes. |
| `logs/winner.log` | Output of the process that tested the best trial. |
| `logs/report.log` | Output of the process that looked at mistakes and data for the report. |
| `report/` | What the report is made of beside the trials: `classes.json`, how many images each class has and which were left out; `mistakes.json` and the images that it names. |
| `data/` | What was found of the data: `data.json`, `labels.csv` to be corrected, sheets of pictures (`sweeper data` explains them). |
| `trials/0007/` | Everything of trial 7, the number in `leaderboard.csv`: |
| `... config.yaml` | its resolved recipe; |
| `... .hydra/` | Hydra's files: `overrides.yaml` is its command line; |
| `... logs/trial.log` | what it printed; the first place to look when it failed; |
| `... trial.json` | its number, the parameters that were searched, when it started, which trial it repeats; |
| `... metrics.jsonl` | a line of JSON for each epoch: time, step, phase, fold, all metrics; |
| `... result.json` | how it ended and why, its objectives, best epoch, final metrics, loss check; not there while it runs; |
| `... predictions.npz` | probabilities and logits `[n, classes]` of the validation images in half precision, with `ids`, `labels` and `fold` `[n]` and `class_names`; |
| `... test_predictions.npz` | the same of the test images: of the winner only; |
| `... mlflow/` | `journal.jsonl`, all that MLflow is to get of its run, in order, and `delivered.json`, how far it got it; `model/`, the model as MLflow keeps it, until it has it; |
| `... plots/` | `curves.png` (accuracy and loss), `samples.png` (training images), `augmented.png` (each augmentation), `confusion_matrix.png`; |
| `... learned.npz` | the weights it learned, and `model.keras`, the whole model: of the best trials only; |
| `... checkpoints/` | its state after its last epoch, from which it resumes if it is interrupted; empty once it is complete. |
| `confirm/0007-seed1000/` | Trial 7 run again with the seed 1000, with the files of a trial but for its weights; no trial of the search. Remove the folder to have it run again. |
| `models/` | What was made of the trials after the sweep, one folder each, with `model.keras`: `refit`, `calibrated`, `ensemble`, `soup` (`sweeper improve`, `sweeper promote`). |
| `runs/` | Single fine-tunes of the recipe (without `-m`), with the files of a trial; not part of the study. |
| `archive/` | Earlier studies of this name, put aside by `hydra.sweeper.resume=false`. |
"""  # noqa: E501


@dataclass(frozen=True)
class Page:
    """What does not change while a sweep runs.

    Attributes:
        words: the sweep's command line, without credentials.
        plan: what the sweep showed before its first trial.
        storage: address of the study's database; None where it is kept in memory.
        ui: the command that opens the MLflow page, or its address.
    """

    words: Sequence[str]
    plan: Sequence[Entry]
    storage: str | None
    ui: str

    def write(self, summary: StudySummary, state: str, tested: str = "", again: str = "") -> None:
        """Write the page of the study as it stands.

        Args:
            summary: the study.
            state: how the sweep is: running, finished, interrupted.
            tested: what the test of the winner gave; empty where there was none yet.
            again: what runs with other seeds say of it; empty where there were none.

        Raises:
            OSError: the disk does not take it.
        """
        write_aside(StudyPaths(summary.folder).page, self._text(summary, state, tested, again))

    def _text(self, summary: StudySummary, state: str, tested: str, again: str) -> str:
        folder = shown_path(summary.folder)
        files = _FILES.format(
            objectives=", ".join(f"`{name}`" for name in summary.value_names), folder=folder
        )
        text = f"""\
{PAGE_MARK}, and brought up to date by it: keep notes of your own in another file. -->
# Study {summary.name}

A sweep: each trial fine-tunes an image classifier with other values of the parameters below.

- State: {state}.
- Trials: {_counts(summary)}.
- Best: {_best(summary)}.
- With other seeds: {again or "no trial was run again (`confirm`)"}.
{f"- Test of the best: {tested}." if tested else "- Test of the best: when the sweep ends."}

## Plan
```
{_plan(self.plan)}
```

## Commands
In the folder where the sweep was started, `{Path.cwd()}`:

Resume the sweep, or see its results again. `hydra.sweeper.n_trials` is a total: for more trials,
add a higher one. {self._kept()}
```
{command(self.words)}
```
Run the best recipe again, alone:
```
{command(["--config-dir", str(folder), "--config-name", "best"])}
```
Compare all trials in MLflow:
```
{self.ui}
```

## Files
{files}"""
        return redact(text)

    def _kept(self) -> str:
        if self.storage is None:
            return "This study is kept in memory only, so the command begins a new one."
        return f"The trials are kept in the database `{self.storage}`."


def _plan(entries: Sequence[Entry]) -> str:
    lines = []
    for entry in entries:
        label = entry.label
        for text in filter(None, [*entry.text.splitlines(), entry.command]):
            lines.append(f"{label:<10}{text}")
            label = ""
    return "\n".join(lines)


def _counts(summary: StudySummary) -> str:
    states = [row.state for row in summary.rows if row.counts]
    if not states:
        return "none has ended yet"
    return ", ".join(f"{states.count(state)} {state}" for state in State)


def _best(summary: StudySummary) -> str:
    best = summary.best
    if best is None:
        return "none yet"
    values = spelled_values(dict(zip(summary.value_names, best.values, strict=True)))
    front = f" (one of {len(summary.front)} on the Pareto front)" * (len(summary.maximize) > 1)
    params = f", with `{spelled_params(best.params)}`" if best.params else ""
    return f"trial {best.number}{front}, {values}{params}"
