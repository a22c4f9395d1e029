"""JupyterLab: a notebook that was run and saved is the same file as before, so git sees no change.

A clean filter of git would not do: git takes a file of another size for changed, until it is added.
Pairs of notebooks and scripts (jupytext) would, but keep each notebook twice. What a notebook
showed stays on the screen; what it shall show for good is a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workbook import notebooks

if TYPE_CHECKING:
    from jupyter_server.services.contents.filemanager import FileContentsManager

KEPT = ("tags", "slideshow")
"""What a researcher writes into a cell's metadata; the rest is Lab's."""
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
"""A kernel that every Python has: papermill needs none that make installs."""
METADATA = {"kernelspec": KERNEL, "language_info": {"name": "python"}}


def save_as_in_git(model: Mapping, path: str, contents_manager: FileContentsManager) -> None:
    """Take out, before JupyterLab saves a notebook of the project, all that running it wrote.

    `model` is what Lab is about to save, and is changed; `path` goes from the folder that Lab
    shows.
    """
    place = Path(contents_manager.root_dir, path).resolve()
    if model["type"] != "notebook" or not place.is_relative_to(notebooks.FOLDER):
        return
    model["content"]["metadata"].update(METADATA)
    for cell in model["content"]["cells"]:
        cell["metadata"] = {
            name: cell["metadata"][name] for name in KEPT if name in cell["metadata"]
        }
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
