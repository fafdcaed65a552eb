"""Which parameters counted, and where good values lie: Optuna's plots."""

import warnings
from ast import literal_eval
from collections.abc import Callable, Iterator
from html import unescape

import optuna
import plotly.graph_objects as go
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial
from plotly.colors import sample_colorscale

from sweeper.html_report.charts import BLUE, WORSE_TO_BETTER, plain, styled
from sweeper.html_report.content import StudyContent, better
from sweeper.html_report.page_blocks import Block, Chart, Paragraph, Section
from sweeper.html_report.sections.optuna_trials import Searched, searched

_LEAST = 10
"""Complete trials from which importance says something: PED-ANOVA compares the best tenth of them
with the others (Watanabe et al. 2023)."""
_SLICES = 12
"""Parameters that are shown each by itself."""


def search(content: StudyContent) -> Section | None:
    """Importance, parallel coordinates, slices; None where nothing was searched."""
    found = searched(content)
    trials = found.study.get_trials(deepcopy=False)
    if not trials or not found.names:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # with several objectives lower targets are better, and ours are made so
        warnings.filterwarnings("ignore", "PedAnovaImportanceEvaluator computes", UserWarning)
        blocks = list(_blocks(content, found))
    return Section("search", "What the search found", blocks)


def _blocks(content: StudyContent, found: Searched) -> Iterator[Block]:
    trials = found.study.get_trials(deepcopy=False)
    importance = _importance(content, found)
    if isinstance(importance, str):
        order = list(found.names.values())
        yield Paragraph(importance)
    else:
        order = sorted(found.names.values(), key=lambda name: -importance.get(name, 0.0))
        yield _bars(importance)
    if len(trials) < 2:
        return
    if len(found.names) > 1 and (parallel := _parallel(content, found, order)) is not None:
        yield parallel
    for name in order[:_SLICES]:
        yield _slice(content, found, name)
    if len(order) > _SLICES:
        yield Paragraph(f"{len(order) - _SLICES} more parameters are not shown by themselves.")


def _target(trial: FrozenTrial) -> float:
    return float(trial.values[0])


def _importance(content: StudyContent, found: Searched) -> dict[str, float] | str:
    """By parameter, or why it is not known."""
    trials = found.study.get_trials(deepcopy=False)
    if len(trials) < _LEAST:
        return (
            f"How important each parameter is can be estimated from {_LEAST} complete trials on; "
            f"there are {len(trials)}."
        )
    maximize = content.summary.maximize[0]
    if len({_target(trial) for trial in trials}) == 1:
        return f"All trials have the same {content.objective}, so no parameter counted."
    # of at least five of the best trials, as Optuna's documentation asks
    evaluator = PedAnovaImportanceEvaluator(target_quantile=max(0.1, min(0.5, 5 / len(trials))))
    target = None if content.single else _signed(maximize)
    # conditional parameters are in some trials only, and importance is of what all have
    common = set.intersection(*({*trial.params} for trial in trials))
    if not common:
        return "No parameter was searched in all trials, so their importance is not comparable."
    return get_param_importances(
        found.study, evaluator=evaluator, params=sorted(common), target=target
    )


def _signed(maximize: bool) -> Callable[[FrozenTrial], float]:
    """For several objectives, where Optuna takes lower values of a target as better."""
    return (lambda trial: -_target(trial)) if maximize else _target


def _bars(importance: dict[str, float]) -> Chart:
    names = list(reversed(importance))
    figure = go.Figure(
        go.Bar(
            x=[round(importance[name], 4) for name in names], y=names, orientation="h",
            marker={"color": BLUE}, texttemplate="%{x:.2f}", hoverinfo="skip",
        )
    )  # fmt: skip
    first = next(iter(importance))
    says = (
        f"{unescape(first)} counts most: {importance[first]:.0%} of what sets the best trials "
        "apart from the others (PED-ANOVA). With few trials this is a hint only."
    )
    height = 120 + 28 * len(names)
    return Chart("Importance of parameters", says, styled(figure, "importance"), height)


def _parallel(content: StudyContent, found: Searched, order: list[str]) -> Chart | None:
    trials = found.study.get_trials(deepcopy=False)
    common = [name for name in order if all(name in trial.params for trial in trials)]
    if len(common) < 2:
        return None
    named = plain(content.objective)
    figure = optuna.visualization.plot_parallel_coordinate(
        found.study, params=common[:_SLICES], target=_target, target_name=named
    )
    _recolour(figure, content.summary.maximize[0])
    styled(figure)
    figure.update_layout(margin={"l": 30, "r": 30, "t": 20, "b": 20})
    says = (
        "Each line is a trial, through its value of each parameter; blue lines are better in "
        f"{content.objective}, orange ones worse."
    )
    return Chart("All parameters at once", says, figure, 420, 110 * (len(common) + 1))


def _recolour(figure: go.Figure, maximize: bool) -> None:
    """Give the lines colours that are seen on white and on black; Optuna's are for white."""
    for line in figure.data:
        if line.mode == "lines" and line.y and line.y[0] is not None:
            # the first axis is the objective, from 0 to 1
            better = line.y[0] if maximize else 1 - line.y[0]
            line.line.color = sample_colorscale(WORSE_TO_BETTER, [min(max(better, 0), 1)])[0]
    scale = {"colorscale": WORSE_TO_BETTER, "reversescale": not maximize}
    figure.update_traces(marker=scale, selector={"mode": "markers"})
    figure.update_annotations(font={"color": None})


def _slice(content: StudyContent, found: Searched, name: str) -> Chart:
    figure = optuna.visualization.plot_slice(
        found.study, params=[name], target=_target, target_name=plain(content.objective)
    )
    colours = {"colorscale": WORSE_TO_BETTER, "colorbar": {"title": {"text": "trial"}}}
    figure.update_traces(marker=colours, selector={"type": "scatter"})
    if figure.layout.xaxis.type == "category":  # Optuna writes choices as Python does
        figure.for_each_trace(lambda trace: trace.update(x=[*map(literal_eval, trace.x)]))
        order = figure.layout.xaxis.categoryarray
        figure.update_xaxes(categoryarray=[*map(literal_eval, order)])
    trials = [trial for trial in found.study.get_trials(deepcopy=False) if name in trial.params]
    pick = max if content.summary.maximize[0] else min
    best = pick(trials, key=_target)
    value = best.params[name]
    shown = f"{value:.4g}" if isinstance(value, float) else unescape(str(value))
    direction = f" ({better(content.objective)})" if better(content.objective) else ""
    says = f"The best of {len(trials)} trials has {shown}{direction}."
    return Chart(unescape(name), says, styled(figure), 320)
