"""How Sphinx makes the book; `make help` lists the ways to call it."""

import hashlib
import os
import pathlib
import re
import sys
from importlib import metadata

root = pathlib.Path(__file__).parent
build = root / "build"

project = "The Gradients of Recurrent Networks"
author = "The rnnbook authors"
copyright = "the rnnbook authors. Text CC BY 4.0, code BSD-3-Clause"
release = metadata.version("rnnbook")

extensions = [
    "rnnbook.sphinxext",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.intersphinx",
    "sphinxcontrib.bibtex",
    "sphinx_copybutton",
    "sphinxext.opengraph",
]
nitpicky = True
numfig = True
math_numfig = True
math_eqref_format = "({number})"
numfig_secnum_depth = 1
numfig_format = {"section": "Chapter %s", "figure": "Figure %s", "table": "Table %s"}
language = "en_GB"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 0

# Pages are executed again when the package changes, or a model (figures are drawn from models), or Python, or what executes them. A
# changed path invalidates Sphinx's store as well.
_sources = [path for path in sorted((root / "rnnbook").rglob("*.py")) if "sphinxext" not in path.parts]
_sources += [root / "book" / "_kernel" / name for name in ("matplotlibrc", "profile_default/ipython_kernel_config.py")]
_seen = [path.read_bytes() for path in _sources] + [sys.version.encode()]
for path in sorted((root / "book").glob("*.md")):
    _seen += re.findall(rb"^```\{model\}.*?^```", path.read_bytes(), flags=re.DOTALL | re.MULTILINE)
_seen += [f"{name} {metadata.version(name)}".encode() for name in ("numpy", "sympy", "matplotlib", "myst-nb", "ipykernel")]
nb_execution_mode = "cache"
nb_execution_cache_path = str(build / "jupyter-cache" / hashlib.sha256(b"\0".join(_seen)).hexdigest()[:16])
nb_execution_timeout = 120
nb_execution_raise_on_error = False
nb_execution_show_tb = True
nb_output_stderr = "remove-warn"
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_render_markdown_format = "myst"
rnnbook_check_cache = str(build / "checks")
os.environ["IPYTHONDIR"] = str(root / "book" / "_kernel")
# One thread for the pages' matrix products: small ones are faster so, and sums come in the same order on every machine.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

bibtex_bibfiles = ["book/references.bib"]
bibtex_reference_style = "author_year"
autodoc_member_order = "bysource"
napoleon_use_param = False
napoleon_use_rtype = False
intersphinx_mapping = {
    name: (f"https://{site}/", str(root / "book" / "_inventories" / f"{name}.txt"))
    for name, site in {"python": "docs.python.org/3", "numpy": "numpy.org/doc/stable"}.items()
}

html_theme = "sphinx_book_theme"
html_title = project
html_favicon = "book/_static/favicon.svg"
html_static_path = ["book/_static"]
html_css_files = ["book.css"]
html_baseurl = os.environ.get("BOOK_URL", "")
html_math_renderer = "katex"
# without it the theme complains on the console at a reader's first visit
html_context = {"default_mode": "auto"}
html_copy_source = True
html_theme_options = {
    "use_sidenotes": False,
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
    "use_download_button": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "path_to_docs": "book",
}
ogp_site_url = html_baseurl
ogp_site_name = project
ogp_social_cards = {"font": "DejaVu Sans"}

latex_engine = "lualatex"
latex_documents = [("index", "rnnbook.tex", project, author, "manual")]
latex_use_xindy = False
latex_domain_indices = False
html_domain_indices = False
latex_show_urls = "no"
latex_additional_files = ["book/_latex/book.sty"]
latex_elements = {
    "papersize": "a4paper",
    "pointsize": "11pt",
    "fontpkg": "",
    "fncychap": "",
    "preamble": r"\usepackage{book}",
    "extraclassoptions": "openany,oneside",
    "figure_align": "tbp",
}
