"""The kernel that executes the book's pages: figures as vector graphics, for the site and for print."""

import os
import pathlib

c = get_config()  # noqa: F821
os.environ["MATPLOTLIBRC"] = str(pathlib.Path(__file__).parent.parent / "matplotlibrc")
c.InlineBackend.figure_formats = {"svg", "pdf"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None, "CreationDate": None, "Creator": None}}
c.IPKernelApp.log_level = 40
