"""An adapter that is called as `evstore.aio` calls it: by tasks of one event loop, which runs in a thread."""

from __future__ import annotations

import asyncio
import threading
from inspect import ismethod

from evstore.aio.bases import runner_for


class Loop:
    """An event loop in a thread of its own."""

    def __init__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def result(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Driven:
    """An object of an adapter, each method of which a task calls."""

    def __init__(self, inner, run):
        object.__setattr__(self, "_inner", inner)
        object.__setattr__(self, "_run", run)

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if not ismethod(found) and not (callable(found) and name == "step"):
            return self._handed(found)
        return lambda *given, **named: self._called(found, given, named)

    def __setattr__(self, name, value):
        setattr(self._inner, name, value)

    def __enter__(self):
        return self._called(self._inner.__enter__, (), {})

    def __exit__(self, *raised):
        return self._called(self._inner.__exit__, raised, {})

    def _called(self, function, given, named):
        inner = [each._inner if isinstance(each, Driven) else each for each in given]
        return self._handed(self._run(lambda: function(*inner, **named)))

    def _handed(self, found):
        its = type(found).__module__
        is_place = its.startswith("evstore.adapters") and not isinstance(found, tuple | list)
        return (
            Driven(found, self._run)
            if is_place or (hasattr(found, "__enter__") and its == "contextlib")
            else found
        )


class DrivenAdapter(Driven):
    """An adapter, and its runner."""

    def __init__(self, adapter, loop):
        runner = runner_for(adapter)
        super().__init__(adapter, lambda function: loop.result(runner.run_long(function)))
        object.__setattr__(self, "close", lambda: loop.result(runner.close(adapter.close)))
