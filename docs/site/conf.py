"""Settings of Sphinx for the documentation site: `make docs`."""

project = "bskernel"
html_title = "bskernel"
copyright = "the authors of bskernel"  # noqa: A001 - the name that Sphinx reads
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "sphinxcontrib.mermaid"]
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # links to headings are checked; GitHub makes the same anchors
myst_fence_as_directive = ["mermaid"]
autodoc_typehints = "description"
# Types of the kernel that the public functions return; their fields are in the pages on results.
nitpicky = False
suppress_warnings = ["misc.highlighting_failure"]  # output of programs in blocks without a language
highlight_language = "text"
smartquotes = False  # two dashes begin an option
