"""From what was measured to ratios, the README's table and its pictures.

python experiments/peers/report.py      renews the README from results.json
"""

import statistics
from dataclasses import dataclass

from floor import floors
from plan import SWEEPS
from results import Results, load
from runs import FOLDER

README = FOLDER / "README.md"
MARKS = "<!-- measured -->\n", "<!-- /measured -->\n"


@dataclass(frozen=True)
class Comparison:
    """``value`` of a row, and the bound it must keep: a least value, or a most one."""

    name: str
    what: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def bound(self) -> str:
        if self.least is not None:
            return f"at least {self.least:g}"
        return "" if self.most is None else f"at most {self.most:g}"

    @property
    def met(self) -> str:
        if self.least is None and self.most is None:
            return ""
        above = self.least is None or self.value >= self.least
        return "yes" if above and (self.most is None or self.value <= self.most) else "**no**"


def comparisons(results: Results) -> list[Comparison]:
    """All rows of which everything was measured."""
    return [*_against_peers(results), *_single(results), *_own(results)]


def _against_peers(results: Results) -> list[Comparison]:
    rows = []
    targets = {"frozen_sweep": 15.0, "two_phase_sweep": 5.0}
    for row, plan in SWEEPS.items():
        for peer, title in (("tutorial", "tutorial script"), ("tuner", "KerasTuner")):
            name = row if peer == "tutorial" else f"{row}_tuner"
            if f"{row} {peer}" not in results.runs:
                continue
            own, other = results.seconds(f"{row} ours"), results.peer_seconds(row, peer)
            ran = sum(len(run.fits) for run in results.runs[f"{row} {peer}"])
            what = (
                f"{plan.trials} trials: {own:.1f} s; {title} {other:.0f} s, reckoned from {ran} of "
                "its trials"
            )
            rows.append(Comparison(name, what, other / own, least=targets[row]))
            rows.append(_accuracy(results, row, peer, title))
    return rows


def _accuracy(results: Results, row: str, peer: str, title: str) -> Comparison:
    """Points of validation accuracy that ours has more, the best of as many trials each."""
    runs, others = results.runs[f"{row} ours"], results.runs[f"{row} {peer}"]
    trials = len(others[0].fits)
    own = statistics.mean(run.best(trials) for run in runs)
    other = statistics.mean(run.best() for run in others)
    name = f"{row}_{peer}_points"
    best = max(run.best() for run in runs)
    what = f"best of {trials} trials {own:.4f}, of all {best:.4f}; {title} {other:.4f}"
    return Comparison(name, what, 100 * (own - other), least=-1.0)


def _single(results: Results) -> list[Comparison]:
    names = "single_uncached ours", "single_uncached plain"
    if not all(name in results.runs for name in names):
        return []
    own, other = map(results.seconds, names)
    epochs = results.epochs(names[0])
    what = f"{epochs} epochs, whole command: {own:.1f} s; plain fit {other:.1f} s"
    rows = [Comparison("single_uncached", what, other / own, least=1.2)]
    own, other = map(results.epoch_seconds, names)
    what = f"an epoch after the first: {own:.2f} s; plain fit {other:.2f} s"
    return [*rows, Comparison("single_uncached_epoch", what, other / own)]


def _own(results: Results) -> list[Comparison]:
    rows = []
    if "warm" in results.runs:
        cold, warm = results.seconds("frozen_sweep ours"), results.seconds("warm")
        what = f"frozen sweep: cold {cold:.1f} s, warm {warm:.1f} s"
        rows.append(Comparison("warm_cache", what, cold / warm, least=2.0))
        one = results.seconds("warm one slot")
        what = f"frozen sweep, warm: one slot {one:.1f} s, two {warm:.1f} s"
        rows.append(Comparison("slots", what, one / warm, least=1.5))
    if "make_sweep" in results.runs:
        (run,) = results.runs["make_sweep"]
        rows.append(Comparison("make_sweep_seconds", "whole command", run.seconds, most=90.0))
        rows.append(Comparison("make_sweep_accuracy", "best validation", run.best(), least=0.95))
    if "many_trials" in results.runs:
        (run,) = results.runs["many_trials"]
        ends = sorted(fit.ended or 0.0 for fit in run.fits)
        half = len(ends) // 2
        first, second = ends[half - 1] / half, (ends[-1] - ends[half - 1]) / (len(ends) - half)
        what = f"{len(ends)} trials, warm: first half {first:.3f} s a trial, second {second:.3f} s"
        rows.append(Comparison("many_trials", what, second / first, most=1.1))
    return rows


def table(results: Results) -> str:
    """Markdown tables of comparisons and floors."""
    lines = ["| row | measured | value | must reach | reached |", "|---|---|---|---|---|"]
    lines += [
        f"| `{row.name}` | {row.what} | **{row.value:.2f}** | {row.bound} | {row.met} |"
        for row in comparisons(results)
    ]
    if least := floors(results):
        lines += ["", "| row | floor s | measured, times the floor |", "|---|---|---|"]
        lines += [f"| `{row.name}` | {row.seconds:.1f} | {row.times:.2f} |" for row in least]
    return "\n".join(lines)


def publish(results: Results) -> None:
    """Renew the part of the README between its marks, and both pictures."""
    from pictures import draw_depths, draw_trials

    machine = results.machine
    conditions = (
        f"{machine['cores']} cores without a GPU, load {machine['load_before']:.1f} before and "
        f"{machine['load_after']:.1f} at the end, {machine['minutes']:.0f} minutes."
    )
    text = README.read_text()
    before, _, rest = text.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    measured = f"{conditions}\n\n{table(results)}\n\n{_PICTURES}"
    README.write_text(f"{before}{MARKS[0]}{measured}{MARKS[1]}{after}")
    draw_trials(results, FOLDER / "trials.png")
    draw_depths(results, FOLDER / "depths.png")


_PICTURES = """![Seconds a trial takes, ours and the peers', for both sweeps](trials.png)

![Speed-up of an epoch, against the number of blocks that train](depths.png)
"""


if __name__ == "__main__":
    publish(load(FOLDER / "results.json"))
