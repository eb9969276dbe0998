"""What a device is known to be able to do."""

from __future__ import annotations

import sysconfig

import pytest
import torch

from autoresearch.device import Device, detect, peak_flops


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989.5),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989.5),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40", 181),
        ("NVIDIA L40S", 362),
        ("NVIDIA GeForce RTX 4090", 165.2),
    ],
)
def test_a_known_gpu_has_its_datasheet_s_peak(name: str, tera: float) -> None:
    assert peak_flops(Device("cuda", name, 2**36, "bf16-mixed")) == tera * 1e12


def test_the_peak_of_a_cpu_is_measured() -> None:
    device = detect("cpu")
    assert 1e9 < peak_flops(device) < 1e14


def test_a_device_says_what_it_is_in_a_line() -> None:
    assert str(Device("cuda", "NVIDIA H200", 139 * 2**30, "bf16-mixed")) == "NVIDIA H200, 139 GiB, bf16-mixed"


def test_a_cpu_without_hardware_for_bfloat16_trains_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert detect("cpu").precision == "32-true"


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert detect("cpu").compile_obstacle == "there is no compiler no-such-compiler"


def test_missing_headers_of_python_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setenv("CXX", "sh")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    obstacle = detect("cpu").compile_obstacle
    assert obstacle is not None
    assert "python3-dev" in obstacle
