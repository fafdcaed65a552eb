import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from sweeper.display.leaderboard import ranked, write_leaderboard
from sweeper.display.leaderboard_table import print_table
from sweeper.ranking import with_winner
from sweeper.records import State, StudySummary, TrialRow, Value
from sweeper.statistics.intervals import Figure
from sweeper.statistics.standings import Place, Standing
from sweeper.study_files.confirmed import Confirmed, ConfirmedTrial, SeedRun


def row(number: int, value: float | None, **extra: object) -> TrialRow:
    fields: dict[str, object] = {"state": State.COMPLETE, "seconds": 1.0, "params": {}} | extra
    folder = Path(f"experiments/dogs_b0/trials/{number:04}")
    if value is not None and fields["state"] is State.COMPLETE:
        fields = {"values": (value,)} | fields
    return TrialRow(**{"number": number, "values": (), "folder": folder} | fields)  # type: ignore[arg-type]


def study(*rows: TrialRow, best: int | None = None, maximize: bool = True) -> StudySummary:
    winner = next((r for r in rows if r.number == best), None)
    front = (winner,) if winner else ()
    folder = Path("experiments/dogs_b0")
    return StudySummary("dogs_b0", folder, (maximize,), rows, winner, front, ("val_accuracy",))


def printed(
    summary: StudySummary, standings: Mapping[int, Standing] | None = None, **console: object
) -> str:
    out = io.StringIO()
    print_table(summary, Console(file=out, **console), standings or {})  # type: ignore[arg-type]
    return out.getvalue()


def a_study() -> StudySummary:
    return study(
        row(0, 0.81234567, params={"optimizer.learning_rate": 1 / 3000, "batch_size": 32}),
        row(1, None, state=State.FAILED, reason="died of signal 9"),
        row(2, 0.41, state=State.PRUNED, params={"batch_size": 64}, reason="median 0.58"),
        row(3, 0.95, params={"batch_size": 16, "drop_connect_rate": None}),
        best=3,
    )


@pytest.mark.parametrize(
    ("maximize", "order"), [(True, [4, 2, 1, 3, 6, 0, 5]), (False, [4, 1, 2, 3, 6, 0, 5])]
)
def test_order(maximize: bool, order: list[int]) -> None:
    summary = study(
        row(0, 0.99, state=State.PRUNED),
        row(3, float("nan")),
        row(1, 0.5),
        row(6, float("nan")),
        row(2, 0.7),
        row(4, 0.7),
        row(5, None, state=State.FAILED),
        best=4,
        maximize=maximize,
    )
    assert [r.number for r in ranked(summary)] == order


VALUES: st.SearchStrategy[Value] = (
    st.text(max_size=12) | st.floats(allow_nan=False) | st.integers() | st.booleans() | st.none()
)
ROWS = st.lists(
    st.builds(
        TrialRow,
        number=st.integers(0, 10**6),
        state=st.sampled_from(State),
        values=st.just(()) | st.tuples(st.floats(allow_nan=False)),
        seconds=st.floats(0, 1e6),
        params=st.dictionaries(st.text(min_size=1, max_size=12), VALUES, max_size=4),
        folder=st.just(Path("trials")),
        reason=st.text(max_size=30),
    ),
    unique_by=lambda r: r.number,
    max_size=6,
)


@given(rows=ROWS)
def test_csv_holds_every_digit_and_character(
    rows: list[TrialRow], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("study") / "leaderboard.csv"
    write_leaderboard(study(*rows), path, {})
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = list(csv.reader(file))
    names = header[7:-1]
    fixed = ["val_accuracy", "val_accuracy_low", "val_accuracy_high", "standing", "seconds"]
    assert header[:7] == ["number", "state", *fixed]
    assert header[-1] == "reason"
    assert sorted(names) == sorted({name for r in rows for name in r.params})
    by_number = {r.number: r for r in rows}
    assert len(lines) == len(rows)
    for line in lines:
        assert len(line) == len(header)
        r = by_number.pop(int(line[0]))
        assert line[1] == r.state.value
        assert (float(line[2]) if line[2] else None) == r.value
        assert float(line[6]) == r.seconds
        assert line[-1] == r.reason
        for name, cell in zip(names, line[7:-1], strict=True):
            value = r.params.get(name, "")
            if isinstance(value, float):
                assert float(cell) == value
            elif value is None or isinstance(value, bool):
                assert cell == {None: "null", True: "true", False: "false"}[value]
            else:
                assert cell == str(value)


def test_a_file_does_not_cut_the_table_at_80_columns_and_has_no_escape_codes() -> None:
    params = {f"group{i}.a_rather_long_parameter_name_{i}": f"value{i}" for i in range(12)}
    long = "word " * 60
    text = printed(study(row(0, 0.5, params=params, reason=long), best=0))
    assert "\x1b" not in text
    assert "…" not in text
    assert text.count("word") == 60
    line = next(line for line in text.splitlines() if "best" in line)
    assert all(f"value{i}" in line for i in range(12))


def test_a_terminal_folds_reasons_before_anything_else() -> None:
    summary = study(row(0, 0.5, params={"batch_size": 16}, reason="word " * 30), best=0)
    text = printed(summary, force_terminal=True, color_system=None, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("word") == 30
    assert "batch_" in text


def test_a_narrow_terminal_gets_whole_words() -> None:
    text = printed(a_study(), force_terminal=True, color_system=None, width=20)
    for word in ("drop_", "connect_", "learning_", "rate", "val_", "accuracy"):
        assert word in text


def test_a_table_of_usual_parameters_fits_80_columns() -> None:
    params: dict[str, object] = {
        "optimizer.learning_rate": 0.004735849,
        "phases.unfrozen.learning_rate": 0.0005944263,
        "freeze.unfreeze_blocks": 3,
    }
    summary = study(row(0, 0.951388, params=params), best=0)
    text = printed(summary, force_terminal=True, color_system=None, width=80)
    assert max(map(len, text.splitlines())) <= 80


def test_colours_and_the_mark_of_the_best() -> None:
    text = printed(a_study(), force_terminal=True, color_system="standard", width=200)
    best = next(line for line in text.splitlines() if "best" in line)
    other = next(line for line in text.splitlines() if "0.81" in line)
    assert "1;32m" in best
    assert "0.9500" in best
    assert "\x1b[32mcomplete" in other
    assert "\x1b[33mpruned" in text
    assert "\x1b[31mfailed" in text


def test_values_have_four_digits() -> None:
    text = printed(a_study())
    assert "0.8123" in text
    assert "0.81234" not in text
    assert "0.0003333 " in text


def test_reason_column_only_when_there_is_a_reason() -> None:
    assert "reason" in printed(a_study())
    assert "reason" not in printed(study(row(0, 0.5), best=0))


def headers(*names: str) -> list[str]:
    """Sorted words above the rule, less the fixed ones; a header is folded at its dots."""
    text = printed(study(row(0, 0.5, params=dict.fromkeys(names, 1)), best=0))
    above = text.split("─")[0].splitlines()[1:]
    words = Counter(" ".join(above).split()) - Counter(
        ["number", "state", "val_accuracy", "seconds"]
    )
    return sorted(words.elements())


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("freeze.unfreeze_blocks", "batch_size"), ["batch_size", "unfreeze_blocks"]),
        (("phases.frozen.epochs",), ["epochs"]),
        (("a.rate", "b.c.rate"), ["a.", "c.", "rate", "rate"]),
        (("a.rate", "rate"), ["a.", "rate", "rate"]),
        (("a.big_rate", "b.rate"), ["big_rate", "rate"]),
        (("conf.optimizer.name",), ["name", "optimizer."]),
        (("budget.seconds",), ["budget.", "seconds"]),
        (("goal.val_accuracy",), ["goal.", "val_accuracy"]),
    ],
)
def test_headers_are_short_where_that_is_unambiguous(
    names: tuple[str, ...], expected: list[str]
) -> None:
    assert headers(*names) == expected


def test_no_completed_trial() -> None:
    text = printed(study(row(0, None, state=State.FAILED, reason="out of memory")))
    assert "no trial completed" in text
    assert "out of memory" in text
    assert "best" not in text
    assert "no trial completed" in printed(study())


def test_text_from_outside_is_neither_markup_nor_control() -> None:
    reason = "\x1b[31mValueError\x1b[0m:\n  [bold]x[/bold] [/] :smile:\a"
    text = printed(study(row(0, 0.1, params={"[red]p": "[/blue]"}, reason=reason), best=0))
    assert "ValueError: [bold]x[/bold] [/] :smile:" in text
    assert "[red]p" in text
    assert "[/blue]" in text
    assert not {"\x1b", "\a"} & set(text)


@given(rows=ROWS)
def test_any_study_can_be_printed(rows: list[TrialRow]) -> None:
    text = printed(study(*rows))
    assert all(character.isprintable() or character == "\n" for character in text)


def test_several_objectives_have_a_column_each_and_the_front_comes_first(tmp_path: Path) -> None:
    rows = (
        row(0, 0.9, values=(0.9, 40.0)),
        row(1, 0.8, values=(0.8, 10.0)),
        row(2, 0.85, values=(0.85, 90.0)),
        row(3, 0.99, values=(0.99, 50.0), feasible=False),
        row(4, None, state=State.PRUNED),
    )
    folder = Path("experiments/dogs_b0")
    names = ("val_accuracy", "milliseconds_per_image")
    summary = StudySummary("dogs_b0", folder, (True, False), rows, rows[0], rows[:2], names)
    assert [r.number for r in ranked(summary)] == [0, 1, 2, 3, 4]
    write_leaderboard(summary, tmp_path / "leaderboard.csv", {})
    lines = (tmp_path / "leaderboard.csv").read_text().splitlines()
    interval = "val_accuracy,val_accuracy_low,val_accuracy_high,standing"
    assert lines[0] == f"number,state,{interval},milliseconds_per_image,seconds,reason"
    assert lines[1] == "0,complete,0.9,,,,40.0,1.0,"
    assert lines[5] == "4,pruned,,,,,,1.0,"
    text = printed(summary)
    assert text.count("front") == 2
    assert "milliseconds_per_image" in text


def test_objectives_without_names_are_numbered() -> None:
    one, two = row(0, 0.9), row(1, 0.9, values=(0.9, 40.0))
    assert StudySummary("toy", Path(), (True,), (one,), one).value_names == ("value",)
    several = StudySummary("toy", Path(), (True, False), (two,), two)
    assert several.value_names == ("value_0", "value_1")


def test_trials_tied_with_the_best_are_marked_and_have_intervals(tmp_path: Path) -> None:
    best = Standing(Figure(0.95, 0.9, 0.98), Place.BEST, None)
    tied = Standing(Figure(0.81, 0.73, 0.87), Place.TIED, Figure(0.14, -0.01, 0.3))
    standings = {3: best, 0: tied}
    write_leaderboard(a_study(), tmp_path / "leaderboard.csv", standings)
    with (tmp_path / "leaderboard.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = [(row["val_accuracy_low"], row["val_accuracy_high"], row["standing"]) for row in rows]
    nothing = ("", "", "")
    assert shown == [("0.9", "0.98", "best"), ("0.73", "0.87", "tied"), nothing, nothing]
    text = printed(a_study(), standings)
    assert "95 %" in text
    assert [line for line in text.splitlines() if "tied" in line and "0.730 to 0.870" in line]
    assert [line for line in text.splitlines() if "best" in line and "0.900 to 0.980" in line]
    assert "95 %" not in printed(a_study())


def test_trials_that_were_run_again_have_their_means_and_the_winner_comes_first(
    tmp_path: Path,
) -> None:
    runs = (SeedRun(1000, "confirm/a", {"val_accuracy": 0.8}), SeedRun(2000, "confirm/b", {}, "no"))
    confirmed = Confirmed(
        "study",
        3,
        (
            ConfirmedTrial(0, {"val_accuracy": 0.81}, runs, {"val_accuracy": Figure(0.8)}, True),
            ConfirmedTrial(3, {"val_accuracy": 0.95}, (), {"val_accuracy": Figure(0.7, 0.6, 0.8)}),
        ),
    )
    summary = with_winner(a_study(), 0)
    write_leaderboard(summary, tmp_path / "leaderboard.csv", {}, confirmed)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "leaderboard.csv").read_text())))
    ends = ("", "_low", "_high")
    columns = [*(f"confirmed_val_accuracy{end}" for end in ends), "confirmed_runs"]
    assert [row["number"] for row in rows] == ["0", "3", "2", "1"]
    assert [rows[0][column] for column in columns] == ["0.8", "", "", "1"]
    assert [rows[1][column] for column in columns] == ["0.7", "0.6", "0.8", "0"]
    assert [rows[2][column] for column in columns] == [""] * 4
    out = io.StringIO()
    print_table(summary, Console(file=out), {}, confirmed)
    best, second = [line for line in out.getvalue().splitlines() if "complete  " in line]
    assert best.split()[:5] == ["best", "0", "complete", "0.8123", "0.8000"]
    assert "0.7000 (95 %: 0.600 to 0.800)" in second
