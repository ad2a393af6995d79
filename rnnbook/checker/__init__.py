"""Doctest for mathematics: check the equations of MyST documents against derivatives of their models' definitions.

What a checked equation means is written in the book's page on the equation language. The parts that others use:

`check(text_or_path, *, path=None, library=None, proof_seconds=2.0, seconds=5.0, cache=None, mutate=False)`
    Check every claim of a document; returns a list of `Result`. `library` maps names to the models of other documents
    of the book (blocks, or their LaTeX). `cache` is a folder in which verdicts are kept.
`Result`
    `path, line, label, kind, verdict, expected, step, message, instances, max_error, evidence, seconds, latex, model`,
    and `ok`: whether the verdict is as expected. A model with an error gives a result of kind `model`.
`scan(text)`
    The blocks of a document: `kind, name, options, line, body`.
`library_of(paths)`
    All models of some documents by name.
"""
from rnnbook.checker.document import Result, check, library_of
from rnnbook.checker.scan import Block, scan

__all__ = ["Block", "Result", "check", "library_of", "scan"]
