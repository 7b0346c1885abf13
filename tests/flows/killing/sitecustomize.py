"""Kills or hangs a run at a chosen moment. Python imports this module by itself where it is on the path.

`KILL_AT=module:function:n` kills the process group at the n-th call of that function, in whichever process;
`HANG_AT=module:function:n` never returns from it.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _AtCall(importlib.abc.MetaPathFinder):
    def __init__(self, fate: Callable[[], None], module: str, function: str, nth: str) -> None:
        self._fate, self._module, self._function, self._nth = fate, module, function, int(nth)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        loader: Any = spec.loader
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            self._arm(module)

        loader.exec_module = exec_module
        return spec

    def _arm(self, module: ModuleType) -> None:
        real = getattr(module, self._function)
        calls = 0

        def deadly(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == self._nth:
                self._fate()
            return real(*args, **kwargs)

        setattr(module, self._function, deadly)


def _kill() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _hang() -> None:
    while True:
        time.sleep(1)


for _variable, _fate in {"KILL_AT": _kill, "HANG_AT": _hang}.items():
    if _variable in os.environ:
        sys.meta_path.insert(0, _AtCall(_fate, *os.environ[_variable].split(":")))
