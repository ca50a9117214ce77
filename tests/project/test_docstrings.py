"""Every public name says what it is for."""

from __future__ import annotations

import inspect

import evstore
import evstore.port
import evstore.testing

MODULES = (evstore, evstore.port, evstore.testing)
QUESTIONS = ("What", "Whether", "Where", "How", "Who", "Which", "When")


def _public(cls):
    """The public methods and properties that a class of evstore has of its own, by name."""
    for name, value in vars(cls).items():
        member = getattr(value, "__func__", value)
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            yield name, member


def _own(cls):
    """The docstring of a class, without the one that a NamedTuple gets by itself."""
    text = vars(cls).get("__doc__") or ""
    return "" if text.startswith(f"{cls.__name__}(") else text


def _documented():
    """Each public object with its qualified name and its docstring."""
    for module in MODULES:
        for name in module.__all__:
            found = getattr(module, name)
            if inspect.isfunction(found):
                yield f"{module.__name__}.{name}", found.__doc__
            if isinstance(found, type):
                yield f"{module.__name__}.{name}", _own(found)
                for member, function in _public(found):
                    inherited = next((each for each in found.__mro__[1:] if hasattr(each, member)), None)
                    if inherited is None or function.__doc__:
                        yield f"{module.__name__}.{name}.{member}", function.__doc__


def test_every_public_name_has_a_docstring_in_the_words_of_the_house():
    found = dict(_documented())
    assert len(found) > 250
    assert [name for name, text in found.items() if not (text or "").strip()] == []
    assert [name for name, text in found.items() if (text or "").split(None, 1)[0].rstrip(":") in QUESTIONS] == []
