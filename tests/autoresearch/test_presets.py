"""Which preset a machine gets."""

import pytest

from autoresearch.device import Device, detect
from autoresearch.errors import InputError
from autoresearch.presets import PRESETS, preset_for, preset_named


def gpu(gibibytes: float) -> Device:
    return Device("cuda", "some GPU", int(gibibytes * 2**30), "bf16-mixed", can_compile=True)


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
    assert preset_for(Device("mps", "Apple GPU", 2**34, "32-true", can_compile=False)).name == "mps"


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
