"""One look for all pictures; each figure draws on the Axes that it is given."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import seaborn as sns
from IPython import get_ipython

from analysis.figures import jupyter
from analysis.figures.fonts import CHINESE_FONTS, chinese_font
from analysis.language import use

BLUE, ORANGE, GREY, BAND, INK = "#0b63b0", "#d1600a", "#7a8490", "#e4e7ec", "#1d2733"

_RC = {
    "figure.constrained_layout.use": True,
    "figure.figsize": (7.2, 3.2),
    "savefig.bbox": None,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "grid.color": "#eceff3",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,  # a segment may be called $x$
}


def use_theme(language: str = "en", fonts: Sequence[str] = CHINESE_FONTS) -> None:
    """Set the look of every figure, and of objects in JupyterLab, that are shown afterwards.

    Parameters
    ----------
    language : {"en", "zh"}
        Warns, once, where Chinese is asked for and no font has its characters.
    fonts : sequence of str
        Names of fonts with Chinese characters, the best first.
    """
    use(language)
    chinese = chinese_font(fonts)
    if chinese is None and language == "zh":
        message = (
            "No font with Chinese characters was found: names are shown by their Latin part or by "
            "a number with a key. Install one, such as Noto Sans CJK."
        )
        warnings.warn(message, stacklevel=2)
    family = ["DejaVu Sans"] + [chinese] * (chinese is not None)
    sns.set_theme(style="ticks", font=family, palette=[BLUE, ORANGE, GREY], rc=_RC)
    if shell := get_ipython():
        jupyter.register(shell)
