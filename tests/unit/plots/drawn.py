"""Reads figures back: what they draw, and whether it fits the page."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def texts(figure: Figure) -> list[str]:
    return [t.get_text() for axes in figure.axes for t in axes.texts]


def lines(figure: Figure, panel: int = 0) -> dict[str, tuple[list[float], list[float]]]:
    return {
        str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata()))
        for line in figure.axes[panel].lines
    }


def legend_labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def assert_nothing_is_clipped(figure: Figure) -> None:
    """All that is drawn lies within the page, and images with ticks have labels on their axes."""
    FigureCanvasAgg(figure).draw()
    drawn, page = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 > -0.05
    assert drawn.y0 > -0.05
    assert drawn.x1 < page[0] + 0.05
    assert drawn.y1 < page[1] + 0.05
    assert page[0] <= 8
