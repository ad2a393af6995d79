"""The kernel that executes the book's pages: figures as vector graphics, for the site and for print."""

import os
import pathlib

from ipykernel.iostream import OutStream

c = get_config()  # noqa: F821
os.environ["MATPLOTLIBRC"] = str(pathlib.Path(__file__).parent.parent / "matplotlibrc")
# a figure carries the date it was made: one that never changes, so that neither does the figure
os.environ["SOURCE_DATE_EPOCH"] = "0"
# pages show counted operations, and share the machine while they run
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
c.InlineBackend.figure_formats = {"svg", "pdf"}
c.IPKernelApp.log_level = 40
# What a cell prints is sent at its end, before a figure, or where the cell says flush, and never by a clock: that cuts lines in two, each
# time at another place.
OutStream.flush_interval = 3600
