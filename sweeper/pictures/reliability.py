"""How often a model is right when it is so sure."""

from collections.abc import Sequence
from pathlib import Path

from sweeper.pictures.figures import new_figure, write_figure


def save_reliability(
    path: Path,
    confidences: Sequence[float],
    accuracies: Sequence[float],
    images: Sequence[int],
    error: float,
) -> None:
    """The reliability curve: a model that knows how sure it may be lies on the diagonal.

    Args:
        path: the PNG to write.
        confidences: of each bin, the mean of the largest probabilities.
        accuracies: of each bin.
        images: in each bin; the area of a point.
        error: the expected calibration error.
    """
    figure = new_figure(4.6, 4.6)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    total = max(sum(images), 1)
    sizes = [12 + 600 * count / total for count in images]
    axes.plot(confidences, accuracies, color="tab:blue", linewidth=1)
    axes.scatter(
        confidences, accuracies, s=sizes, color="tab:blue", alpha=0.6, linewidths=0, clip_on=False
    )
    axes.set(
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
        aspect="equal",
        xlabel="largest probability, mean of a bin",
        ylabel="accuracy of the bin",
        title=f"expected calibration error {error:.3f}; area: images",
    )
    axes.title.set_fontsize(10)
    write_figure(figure, path)
