"""``report.html`` of studies of every kind: what it says, and what it must not do."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_studies import Made, findings
from optuna.distributions import CategoricalDistribution, FloatDistribution

from sweeper.errors import SweeperError
from sweeper.html_report.report_page import write_report
from sweeper.html_report.sections.computation import lanes_of
from sweeper.html_report.sections.problems import tail
from sweeper.statistics.intervals import Figure
from sweeper.study_files.confirmed import Confirmed, ConfirmedTrial, SeedRun, write_confirmed
from sweeper.study_files.gain import Gain, write_gain
from sweeper.study_files.result import Status
from sweeper.study_files.study_paths import StudyPaths

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


class Page(HTMLParser):
    """A report taken apart: its texts by element, and the data of its charts."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.source = file.read_text(encoding="utf-8")
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.charts: list[dict[str, object]] = []
        self._in: list[str] = []
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        kind = dict(attrs).get("type") or ""
        self._in.append(f"{tag} {kind}".strip())

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop().split()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        where = self._in[-1] if self._in else ""
        if where == "script application/json":
            self.charts.append(json.loads(data))
        elif where not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def page_of(study: Made) -> Page:
    return Page(write_report(study.folder))


def test_the_answer_has_an_interval_the_ties_and_the_test(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits")
    for rate in (1e-3, 1.1e-3, 1e-1):
        study.add(params={"optimizer.learning_rate": rate, "batch_size": 16})
    page = page_of(study)
    assert "is the best of 3 complete trials: val_accuracy 0." in page.text
    assert re.search(r"\(95 %: 0\.\d{3} to \d\.\d{3}\)", page.text)
    assert re.search(r"Trial \d is tied with it: on 120 validation images", page.text)
    assert "The same in all trials: batch_size=16" in page.text
    assert "learning_rate" in page.text
    assert page.source.count("plotly.js v") == 1


def test_two_hundred_trials_and_their_pictures_fit_into_6_mb(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits", epochs=20, images=288)
    for number in range(200):
        study.add(Status.PRUNED if number % 3 == 2 else Status.COMPLETE, reason="behind")
    plots = study.folder / "trials" / "0000" / "plots"
    _noise(plots / "samples.png", 1000)
    findings(study.folder)
    for sheet in ("wrong_labels.png", "duplicates.png"):
        _noise(StudyPaths(study.folder).data_report / sheet, 500)
    file = write_report(study.folder)
    assert file.stat().st_size < 6e6


def _noise(file: Path, side: int) -> None:
    import numpy as np
    from PIL import Image

    file.parent.mkdir(parents=True, exist_ok=True)
    small = np.random.default_rng(0).integers(0, 255, (side // 8, side // 8, 3), dtype=np.uint8)
    Image.fromarray(small).resize((side, side)).save(file)


@pytest.mark.parametrize(
    "name",
    [
        HOSTILE,
        *(
            pytest.param(name, marks=pytest.mark.more)
            for name in ("</script>", "<!--", "]]>", "名前 " * 20, "\u202eabc")
        ),
    ],
)
def test_texts_of_data_and_recipe_are_shown_and_nothing_else(tmp_path: Path, name: str) -> None:
    study = Made(
        tmp_path / "digits",
        class_names=[name, "dog"],
        about={"data": (name,), "noticed": (name,), "words": (name,)},
        space={
            f"a.{name}": FloatDistribution(0, 1),
            "kind": CategoricalDistribution([name, "other"]),
        },
    )
    plain = Made(tmp_path / "plain", class_names=["cat", "dog"])
    for number in range(12):
        study.add(params={f"a.{name}": number / 12, "kind": name if number % 2 else "other"})
        plain.add()
    study.add(Status.FAILED, reason=name, log=f"Traceback\n{name}\n")
    plain.add(Status.FAILED, reason="plain", log="Traceback\n")
    page, other = page_of(study), page_of(plain)
    for tag in ("img", "b", "iframe"):
        assert page.tags.count(tag) == other.tags.count(tag)
    charts = page.source.count('type="application/json"')
    assert page.tags.count("script") == charts + 2 == len(page.charts) + 2
    assert " ".join(name.split()) in page.text
    for chart in page.charts:  # Plotly shows some tags as such
        assert "<" not in re.sub(r"<br>|<extra></extra>", "", json.dumps(chart))


def test_a_study_that_runs(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits")
    study.add(Status.RUNNING)
    page = page_of(study)
    assert "No trial has ended yet." in page.text
    assert "sweeper predict" not in page.text
    study.add()
    assert "Trial 1 is the only complete trial" in page_of(study).text


def test_a_study_of_failures_only(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits")
    for _ in range(3):
        study.add(Status.FAILED, reason="it ran out of memory", log="line 1\nline 2\n")
    page = page_of(study)
    assert "No trial is complete: 3 failed. See the warnings and failures below." in page.text
    assert "it ran out of memory" in page.text
    assert page.text.count("line 1 line 2") == 1, "they failed alike"


def test_two_objectives(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits", objectives=("val_accuracy", "milliseconds_per_image"))
    for _ in range(12):
        study.add()
    page = page_of(study)
    assert re.search(r"Of 12 complete trials, trials? [\d, ]+ (form the Pareto|is best)", page.text)
    assert "on the front" in page.text


def test_the_searchs_figure_stands_beside_the_confirmed_one(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits")
    for _ in range(3):
        study.add(params={"optimizer.learning_rate": 1e-3})
    runs = [SeedRun(seed, f"confirm/0001-seed{seed}", {"val_accuracy": 0.9}) for seed in (7, 8)]
    failed = SeedRun(9, "confirm/0001-seed9", {}, "it ran out of memory")
    means = {"val_accuracy": Figure(0.9, 0.85, 0.95)}
    chosen = ConfirmedTrial(1, {"val_accuracy": 0.97}, (*runs, failed), means, chosen=True)
    none = ConfirmedTrial(2, {"val_accuracy": 0.98}, (failed,), {})
    paths = StudyPaths(study.folder)
    write_confirmed(paths.confirmed, Confirmed("id", 2, (chosen, none)))
    write_gain(paths.gain, Gain(3, most=0.01, error=0.02))
    page = page_of(study)
    assert (
        "Trial 1 is the best of 3 complete trials by the mean of 2 further seeds: val_accuracy 0.9 "
        "(95 %: 0.850 to 0.950)"
    ) in page.text
    assert "the search's val_accuracy was 0.07 better" in page.text
    assert "Trial 2 was best in the search; trial 1 is now." in page.text
    assert "0.9, 0.9, it ran out of memory" in page.text
    assert "More trials could gain 0.01 val_accuracy at most" in page.text


def test_folds(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits")
    study.add(folds=3)
    page = page_of(study)
    charts = json.dumps(page.charts)
    assert "trial 0, fold 0" in charts
    assert "trial 0, fold 2" in charts


def test_parameters_count_by_how_they_set_good_trials_apart(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits", images=500)
    for _ in range(60):
        study.add()
    assert "learning_rate counts most" in page_of(study).text


def test_lower_is_better_for_a_loss(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits", objectives=("val_loss",), images=500)
    for _ in range(60):
        study.add()
    page = page_of(study)
    assert "val_loss: lower is better" in page.text
    assert "learning_rate counts most" in page.text


def test_a_trial_of_an_older_version_has_no_distributions(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits", space={})
    study.add(params={"optimizer.learning_rate": 1e-3})
    page = page_of(study)
    assert "What the search found" not in page.text
    assert "Trial 0 is the only complete trial" in page.text


def test_values_that_are_no_numbers_are_no_fault(tmp_path: Path) -> None:
    study = Made(tmp_path / "digits")
    for _ in range(3):
        study.add()
    metrics = study.folder / "trials" / "0000" / "metrics.jsonl"
    metrics.write_text(metrics.read_text().replace('"val_loss": ', '"val_loss": NaN, "old": ', 2))
    assert "NaN" not in json.dumps(page_of(study).charts)


def test_a_folder_without_a_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SweeperError, match="holds no study"):
        write_report(tmp_path)


def test_as_many_lanes_as_trials_ran_at_once() -> None:
    spans = {0: (0.0, 5.0), 1: (0.0, 2.0), 2: (2.5, 4.0), 3: (5.5, 6.0), 4: (5.5, 7.0)}
    assert lanes_of(spans) == {1: 0, 0: 1, 2: 0, 3: 0, 4: 1}


def test_the_end_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "trial.log"
    log.write_text("".join(f"line {number}\n" for number in range(100_000)))
    lines = tail(log).splitlines()
    assert lines[-1] == "line 99999"
    assert len(lines) == 30
    log.write_bytes(b"\xff\xfe broken \x00 text")
    assert "broken" in tail(log)
