"""What the warm process has ready for its forks beyond the imports of a trial: the parts of torch's compiler.

None of this runs a torch operation, so no thread is started. A trial works without it, only later.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

# What torch 2.13 imports where a function is decorated with `torch.compile`, whether it is ever compiled or not: 1 s.
DECORATED = ("torch._dynamo.backends.inductor", "torch._inductor.compile_fx")

# What it imports at the first compilation, rather than with itself: 1 s.
COMPILED = (
    "torch._inductor.codegen.cpp",
    "torch._inductor.cpp_builder",
    "torch.export",
    "torch.utils.cpp_extension",
    "functorch.compile",
    "jinja2",
    "networkx",  # cuts the graph between forward and backward
    "setuptools",
)

_KERNEL = """
#include <torch/csrc/inductor/cpp_prefix.h>
extern "C" void kernel(float* nothing) {}
"""


def preload(modules: tuple[str, ...]) -> None:
    """Import what the compiler imports; a module that this version of torch does without may be missing."""
    for name in modules:
        if name.startswith("torch.") or importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)


def rehearse() -> None:
    """Have the compiler find out what it finds out once a process: 1.5 s of each trial on a CPU (torch 2.13).

    That is which vector instructions work here, by loading a library in a process each; and whether the precompiled header
    is current. A compiler that does not work says so in the trial that needs it.
    """
    from torch._inductor.codecache import CppPythonBindingsCodeCache

    shared = os.environ["TORCHINDUCTOR_CACHE_DIR"]
    # What is loaded in here must come from where no candidate can write.
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(os.environ["HOME"]).with_name("rehearsal"))
    try:
        CppPythonBindingsCodeCache.load_pybinding(["float*"], _KERNEL)
    except RuntimeError as error:
        print(f"the compiler could not be rehearsed: {error}", file=sys.stderr)
    finally:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = shared
