"""Which preset a machine gets."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autoresearch.device import Device, detect
from autoresearch.errors import InputError, RevisionError
from autoresearch.presets import PRESETS, Preset, preset_for, preset_named, retarget
from autoresearch.revision import load, package_knobs, package_source, preset_of


def gpu(gibibytes: float) -> Device:
    return Device("cuda", "some GPU", int(gibibytes * 2**30), "bf16-mixed")


@pytest.mark.parametrize(
    ("gibibytes", "name"),
    [
        (139.8, "full"),
        (79.1, "full"),
        (47.4, "gpu-40g"),
        (39.4, "gpu-40g"),
        (23.6, "gpu-24g"),
        (15.7, "gpu-12g"),
        (11.6, "gpu-12g"),
        (7.7, "gpu-small"),
        (4, "gpu-small"),
    ],
)
def test_a_gpu_gets_a_preset_by_its_memory(gibibytes: float, name: str) -> None:
    assert preset_for(gpu(gibibytes)).name == name


def test_the_other_devices_have_presets_of_their_own() -> None:
    assert preset_for(detect("cpu")).name == "cpu"
    assert preset_for(Device("mps", "Apple GPU", 2**34, "32-true")).name == "mps"


def test_the_budget_is_a_minute_on_a_cpu_and_five_elsewhere() -> None:
    assert {name: preset.budget_seconds for name, preset in PRESETS.items()} == dict.fromkeys(PRESETS, 300.0) | {
        "cpu": 60.0
    }


def test_the_full_preset_is_the_reference_s() -> None:
    full = PRESETS["full"]
    assert (full.vocab_size, full.context, full.eval_tokens, full.knobs) == (8192, 2048, 20_971_520, {})


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="there is no preset 'huge': expected one of full, gpu-40g"):
        preset_named("huge")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(InputError, match="there is no device 'tpu': expected cuda, mps or cpu"):
        detect("tpu")


def declared(source: str, folder: Path) -> dict[str, Any]:
    """Name -> (default, range) of every knob of a text."""
    path = folder / "train.py"
    path.write_text(source, encoding="utf-8")
    return {name: (knob.default, knob.distribution) for name, knob in load(path).knobs.items()}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_file_for_one_machine_fits_another_and_comes_back_the_same(preset: Preset, tmp_path: Path) -> None:
    there = retarget(package_source(), preset)
    knobs = declared(there, tmp_path)
    assert preset_of(there) == preset.name
    assert dict(preset.knobs).items() <= knobs.items()
    assert knobs["total_batch_size"][0] % (knobs["device_batch_size"][0] * preset.context) == 0
    assert declared(retarget(there, PRESETS["full"]), tmp_path) == declared(package_source(), tmp_path)


def test_what_a_preset_does_not_decide_stays_the_user_s(tmp_path: Path) -> None:
    mine = package_source().replace(
        "matrix_lr: Annotated[float, Float(0.005, 0.2, log=True)] = 0.04",
        "matrix_lr: Annotated[float, Float(0.005, 0.2, log=True)] = 0.07",
    )
    assert declared(retarget(mine, PRESETS["cpu"]), tmp_path)["matrix_lr"][0] == 0.07


def test_between_two_small_machines_the_package_fills_what_neither_decides(tmp_path: Path) -> None:
    cpu = retarget(package_source(), PRESETS["cpu"])
    knobs = declared(retarget(cpu, PRESETS["gpu-24g"]), tmp_path)
    package = declared(package_source(), tmp_path)
    assert knobs["depth"] == package["depth"]
    assert knobs["device_batch_size"] == PRESETS["gpu-24g"].knobs["device_batch_size"]


def test_a_file_for_this_machine_or_for_none_stays_as_it_is() -> None:
    assert retarget(package_source(), PRESETS["full"]) == package_source()
    without = package_source().replace('PRESET = "full"', 'MACHINE = "full"')
    assert retarget(without, PRESETS["cpu"]) == without


def test_a_file_for_an_unknown_machine_is_refused() -> None:
    with pytest.raises(RevisionError, match="PRESET is 'cqu': expected one of full"):
        retarget(package_source().replace('PRESET = "full"', 'PRESET = "cqu"'), PRESETS["cpu"])


@pytest.mark.parametrize("name", PRESETS)
def test_the_package_s_knobs_are_read_without_importing_the_file_and_are_the_same(name: str, tmp_path: Path) -> None:
    text = retarget(package_source(), PRESETS[name])
    path = tmp_path / "train.py"
    path.write_text(text, encoding="utf-8")
    assert package_knobs(text) == load(path).knobs


def test_to_read_them_takes_neither_lightning_nor_the_compiler() -> None:
    code = (
        "import sys\nfrom autoresearch.revision import package_knobs\npackage_knobs()\n"
        "assert not {'lightning', 'torch._inductor.compile_fx'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
