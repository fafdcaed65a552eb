"""What was left of the search's best figures when trials were run again with other seeds."""

from sweeper.html_report.content import StudyContent
from sweeper.html_report.page_blocks import Block, Cell, Paragraph, Section, Table
from sweeper.html_report.spelled import interval
from sweeper.study_files.confirmed import ConfirmedTrial


def confirmed_section(content: StudyContent) -> Section | None:
    """The search's figures beside the confirmed ones; None where no trial was run again."""
    found = content.confirmed
    if found is None or not found.trials:
        return None
    name = content.objective
    blocks: list[Block] = [
        Paragraph(
            "The best of many trials was also lucky, so that its figure is too good on average "
            "(the winner's curse). The best trials were run again with other seeds; these means "
            "have no part in the choice of which trials were run again."
        )
    ]
    luck = [_luck(one, name) for one in found.trials if name in one.means]
    if luck:
        mean = sum(luck) / len(luck)
        higher = content.summary.maximize[0]
        better = mean > 0 if higher else mean < 0
        blocks.append(
            Paragraph(
                f"On average the search's {name} was {abs(mean):.2g} "
                f"{'better' if better else 'worse'} than what these trials give with other seeds."
            )
        )
    winner = found.winner
    if winner is not None and winner.number != found.best_of_search:
        text = f"Trial {found.best_of_search} was best in the search; trial {winner.number} is now."
        blocks.append(Paragraph(text, strong=True))
    rows = [_row(one, name) for one in found.trials]
    headers = ["trial", "", f"{name} in the search", "with other seeds", "95 %", "each seed"]
    blocks.append(Table("Trials that were run again, the best mean first", headers, rows))
    return Section("confirmed", "Confirmed with other seeds", blocks)


def _luck(trial: ConfirmedTrial, name: str) -> float:
    return trial.search[name] - trial.means[name].value


def _row(trial: ConfirmedTrial, name: str) -> list[Cell]:
    mean = trial.means.get(name)
    each = [f"{run.figures[name]:.4g}" if run.figures else run.reason for run in trial.runs]
    return [
        Cell(str(trial.number), number=True),
        Cell("chosen" * trial.chosen, mark="best" * trial.chosen),
        Cell(f"{trial.search[name]:.4g}", number=True),
        Cell("" if mean is None else f"{mean.value:.4g}", number=True),
        Cell("" if mean is None else interval(mean).removeprefix("95 %: "), number=True),
        Cell(", ".join(each)),
    ]
