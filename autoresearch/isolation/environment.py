"""Which environment variables a candidate may see: a list of what it needs, so that no secret need be known by name."""

from __future__ import annotations

import os
import re
import site
from collections.abc import Mapping
from pathlib import Path

_NAMES = {
    "PATH",  # the compiler
    "CC",
    "CXX",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "LIBRARY_PATH",
    "LD_LIBRARY_PATH",
    "LANG",
    "TZ",
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONWARNINGS",
}
_BEGINNINGS = re.compile(
    r"LC_|DYLD_|CUDA|NVIDIA_|HIP_|ROCR_|ROCM_|HSA_|OMP_|GOMP_|KMP_|MALLOC_|MKL_|OPENBLAS_|PYTORCH_|TORCH|TRITON"
)
# For what runs beside a trial: torch takes a thread for each core unless it is told otherwise.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SECRETS = re.compile(r"KEY|TOKEN|SECRET|PASS|CREDENTIAL|AUTH", re.IGNORECASE)


def clean_environment(cache: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a candidate.

    Args:
        cache: A folder for compiled code, shared by the trials of a study. It stands in for the home folder, too:
            drivers keep caches of their own there, and nothing of the user's is to be found in it.
        environment: What to choose from; this process's own by default.
    """
    given = os.environ if environment is None else environment
    allowed = {
        name: value
        for name, value in given.items()
        if (name in _NAMES or _BEGINNINGS.match(name)) and not _SECRETS.search(name)
    }
    # A thread of libgomp's that has nothing to do keeps its core for 300,000 turns, also when others want it: with two busy
    # neighbours on two cores a trial trained four times slower than so. 1,000 is libgomp's own number for a full machine.
    allowed.setdefault("GOMP_SPINCOUNT", "1000")
    # By default glibc gives memory back to the kernel that the next step takes again: 26,000 page faults a second on a CPU, and 5 %
    # of its time. These are the greatest block that comes from the heap (32 MiB, the most that glibc takes), and how much stays.
    allowed.setdefault("MALLOC_MMAP_THRESHOLD_", str(32 * 2**20))
    allowed.setdefault("MALLOC_TRIM_THRESHOLD_", str(2**30))
    # To ask whether there is a GPU starts CUDA, which does not survive a fork, unless torch asks NVML instead.
    allowed.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    return allowed | {
        "HOME": str(cache),
        "PYTHONUSERBASE": site.getuserbase(),  # packages that pip put below the real home folder
        "TMPDIR": str(cache / "tmp"),  # where the compiler keeps precompiled headers; a trial gets one of its own
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "TRITON_CACHE_DIR": str(cache / "triton"),
    }
