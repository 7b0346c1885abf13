"""Kills the whole run at a chosen moment. Python imports this module by itself where it is on the path.

`KILL_AT=module:function:n` kills the process group at the n-th call of that function, in whichever process.
"""

import importlib.abc
import importlib.util
import os
import signal
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Killer(importlib.abc.MetaPathFinder):
    def __init__(self, module: str, function: str, nth: int) -> None:
        self._module, self._function, self._nth = module, function, nth

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
                os.killpg(os.getpgid(0), signal.SIGKILL)
            return real(*args, **kwargs)

        setattr(module, self._function, deadly)


if "KILL_AT" in os.environ:
    _module, _function, _nth = os.environ["KILL_AT"].split(":")
    sys.meta_path.insert(0, _Killer(_module, _function, int(_nth)))
