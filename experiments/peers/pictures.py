"""The README's two pictures."""

from pathlib import Path

import matplotlib as mpl
from plan import ALL_BLOCKS, DEPTHS, SWEEPS
from results import Results

mpl.use("agg")

from matplotlib import pyplot as plt

OURS, PEER = "tab:blue", "tab:gray"
_TITLES = {
    "frozen_sweep": "Head only: {trials} trials of 10 epochs",
    "two_phase_sweep": "1 to 3 top blocks unfrozen: {trials} trials of 6 + 4 epochs",
}


def draw_trials(results: Results, path: Path) -> None:
    """Seconds a trial, everything counted, side by side."""
    figure, charts = plt.subplots(2, 1, figsize=(8, 4.4), layout="constrained")
    for chart, (row, plan) in zip(charts, SWEEPS.items(), strict=True):
        totals = {"sweeper": results.seconds(f"{row} ours")}
        if row == "frozen_sweep":
            totals["sweeper, warm cache"] = results.seconds("warm")
        else:
            totals["KerasTuner 1.4.8"] = results.peer_seconds(row, "tuner")
        totals["tutorial script,\nhydra-optuna-sweeper"] = results.peer_seconds(row, "tutorial")
        seconds = {name: total / plan.trials for name, total in totals.items()}
        colors = [OURS if name.startswith("sweeper") else PEER for name in seconds]
        chart.barh(list(seconds), list(seconds.values()), color=colors)
        for place, value in enumerate(seconds.values()):
            ratio = value / seconds["sweeper"]
            note = f", {ratio:.1f} times as long" if place else ""
            chart.annotate(
                f"{value:.1f} s{note}",
                (value, place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
            )
        chart.set_title(_TITLES[row].format(trials=plan.trials), loc="left", fontsize=10)
        chart.set_xlabel("seconds of the whole sweep for each trial, empty cache unless stated")
        chart.invert_yaxis()
        chart.margins(x=0.35)
        chart.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_depths(results: Results, path: Path) -> None:
    """How many times faster an epoch is on a filled cache, from the head alone to all blocks."""
    fits = [("depths", number) for number in range(len(DEPTHS))] + [("single_uncached", 0)]
    seconds = [
        (results.epoch_seconds(f"{name} ours", fit), results.epoch_seconds(f"{name} plain", fit))
        for name, fit in fits
    ]
    ratios = [theirs / ours for ours, theirs in seconds]
    figure, chart = plt.subplots(figsize=(8, 4.2), layout="constrained")
    places = range(len(ratios))
    chart.plot(places, ratios, marker="o", color=OURS)
    for place, ratio, (ours, theirs) in zip(places, ratios, seconds, strict=True):
        chart.annotate(
            f"{ratio:.2g} times\n{theirs:.2f} s → {ours:.2f} s",
            (place, ratio),
            xytext=(6, 6),  # beside the line, which falls
            textcoords="offset points",
            fontsize=9,
        )
    chart.axhline(1, color=PEER, linewidth=1)
    chart.annotate("as fast as plain fit", (0, 1), xytext=(0, -12), textcoords="offset points")
    names = {0: "head only", ALL_BLOCKS: f"all {ALL_BLOCKS}"}
    chart.set_xticks(places, [names.get(depth, str(depth)) for depth in (*DEPTHS, ALL_BLOCKS)])
    chart.set_xlabel("blocks of the network that train, counted from the top")
    chart.set_ylabel("speed-up of an epoch (log scale)")
    chart.set_yscale("log")
    chart.yaxis.set_major_formatter("{x:g}")
    chart.set_ylim(0.5, max(ratios) * 3)
    chart.set_title(
        "An epoch on a filled cache against plain Keras fit: sharing pays near the top",
        loc="left",
        fontsize=10,
    )
    chart.set_xlim(-0.3, len(ratios) - 0.3)
    chart.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)
