"""Doctest for mathematics: check the equations of MyST and LaTeX documents against derivatives of their models' definitions.

What a checked equation means is written in the book's page on the equation language. The parts that others use:

`check(text_or_path, *, path=None, model=None, library=None, proof_seconds=2.0, seconds=5.0, cache=None, mutate=False)`
    Check every claim of a document; returns a list of `Result`. A document is LaTeX if its path ends in `.tex`, or if it has no path and
    looks like it. `model` names the model of claims that name none. `library` maps names to the models that the document does not
    define itself (blocks, or their LaTeX): by default those of the MyST documents beside it, then those of the book. `cache` is a
    folder in which verdicts are kept.
`Result`
    `path, line, label, kind, verdict, expected, step, message, instances, max_error, evidence, seconds, latex, model`,
    and `ok`: whether the verdict is as expected. A model with an error gives a result of kind `model`, a comment in a LaTeX document
    that is not understood one of kind `comment`.
`scan(text)`
    The blocks of a MyST document: `kind, name, options, line, body`.
`library_of(paths)`
    All models of some MyST documents by name.
`book_models()`
    All models of the book by name.
"""
from rnnbook.checker.document import Result, check, library_of
from rnnbook.checker.library import book_models
from rnnbook.checker.scan import Block, scan

__all__ = ["Block", "Result", "book_models", "check", "library_of", "scan"]
