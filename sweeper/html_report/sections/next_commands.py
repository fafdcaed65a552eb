"""What a person can do next, as lines to copy."""

from sweeper.display.next_steps import next_steps
from sweeper.html_report.content import StudyContent
from sweeper.html_report.page_blocks import Block, Commands, Paragraph, Section


def next_commands(content: StudyContent) -> Section:
    """The commands of a study."""
    about, folder = content.about, content.paths.folder
    has_winner = content.paths.winner.exists()
    steps = next_steps(folder, about.words, about.mlflow, has_winner=has_winner)
    blocks: list[Block] = [Commands([(what, line) for what, line in steps.items()])]
    if about.working_folder:
        blocks.insert(0, Paragraph(f"In the folder {about.working_folder}:"))
    return Section("next", "What to do next", blocks)
