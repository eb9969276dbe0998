"""What the text of a `train.py` may name: lists, with a reason for each refusal. `static_check` applies them.

A module is open (all of it but what is refused by name), or only the members listed for it may be used. The large ones
that hold mathematics are open, so that a new operator of torch needs no entry here; a test sees to it that no module
that can be reached through an open one has been forgotten.
"""

from __future__ import annotations

FILES = "a train.py opens no file, and reads and writes none"
PROCESSES = "a train.py starts no process and no thread, and reaches no network"
SEEDS = "seeds belong to the harness; draw from torch's default generator as it is, with no seed"
CLOCK = "a train.py keeps no clock; let schedules follow self.budget_fraction"
NATIVE = "a train.py loads no native code; use torch.compile, or a Triton kernel"
RUN_TEXT = "a train.py runs no text as code; write the code itself"
INTROSPECTION = "a train.py looks at nothing but its own model; use what is passed to the method or stands in self"
SETTINGS = "the harness sets up the machine for the whole process; pass device=, dtype= or options where they are used"
BATCHES = "the harness makes the batches and the callbacks; take each batch from training_step"
BEYOND = "of an allowed module a train.py uses the public mathematics, not what lies behind it"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


OPEN = _words("""
    torch torch.nn torch.nn.functional torch.nn.init torch.optim torch.optim.lr_scheduler
    torch.func torch.linalg torch.fft torch.special torch.ops
    math typing collections collections.abc itertools functools
    triton.language triton.language.math
""")  # Triton: a kernel is the honest way to a fused operation; it runs on the GPU's memory and reaches nothing else

_ONLY = {
    "__future__": "annotations",
    "autoresearch": "",
    "autoresearch.attention": "causal_attention",
    "contextlib": "ExitStack contextmanager nullcontext suppress",
    "copy": "copy deepcopy",
    "dataclasses": "InitVar KW_ONLY MISSING asdict astuple dataclass field fields is_dataclass replace",
    "enum": "Enum Flag IntEnum IntFlag StrEnum auto unique",
    "lightning": "LightningModule",
    "lightning.pytorch": "LightningModule",
    "lightning.pytorch.utilities": "",
    "lightning.pytorch.utilities.types": "LRSchedulerConfig OptimizerLRScheduler STEP_OUTPUT",
    "optuna": "",
    "optuna.distributions": "BaseDistribution CategoricalDistribution FloatDistribution IntDistribution",
    "torch.amp": "GradScaler autocast custom_bwd custom_fwd",
    "torch.autograd": "Function backward enable_grad grad inference_mode no_grad set_grad_enabled",
    "torch.autograd.function": "Function FunctionCtx once_differentiable",
    "torch.backends": "",
    "torch.backends.cuda": "enable_cudnn_sdp enable_flash_sdp enable_math_sdp enable_mem_efficient_sdp matmul",
    "torch.backends.cudnn": "allow_tf32 benchmark conv enabled",
    "torch.compiler": "allow_in_graph assume_constant_result compile cudagraph_mark_step_begin disable is_compiling "
    "is_dynamo_compiling nested_compile_region",
    "torch.cuda": "CUDAGraph Event Stream current_device current_stream device_count empty_cache "
    "get_device_capability get_device_name get_device_properties graph is_available is_bf16_supported "
    "make_graphed_callables max_memory_allocated memory_allocated stream synchronize",
    "torch.cuda.amp": "autocast custom_bwd custom_fwd",
    "torch.distributions": "Bernoulli Categorical Gumbel Normal Uniform",
    "torch.library": "custom_op register_autograd register_fake triton_op wrap_triton",
    "torch.nested": "as_nested_tensor nested_tensor nested_tensor_from_jagged to_padded_tensor",
    "torch.nn.attention": "SDPBackend sdpa_kernel",
    "torch.nn.attention.bias": "CausalBias causal_lower_right causal_upper_left",
    "torch.nn.attention.flex_attention": "AuxOutput AuxRequest BlockMask and_masks create_block_mask create_mask "
    "flex_attention noop_mask or_masks",
    "torch.nn.attention.varlen": "AuxRequest varlen_attn varlen_attn_out",
    "torch.nn.parameter": "Buffer Parameter UninitializedParameter",
    "torch.nn.utils": "clip_grad_norm_ clip_grad_value_ clip_grads_with_norm_ get_total_norm parameters_to_vector "
    "skip_init spectral_norm vector_to_parameters weight_norm",
    "torch.nn.utils.parametrizations": "orthogonal spectral_norm weight_norm",
    "torch.nn.utils.parametrize": "cached is_parametrized register_parametrization remove_parametrizations",
    "torch.optim.optimizer": "Optimizer ParamsT",
    "torch.optim.swa_utils": "AveragedModel SWALR get_ema_avg_fn get_ema_multi_avg_fn",
    "torch.sparse": "mm sampled_addmm softmax to_sparse_semi_structured",
    "torch.utils": "",
    "torch.utils.checkpoint": "CheckpointPolicy checkpoint checkpoint_sequential create_selective_checkpoint_contexts",
    "torch.version": "cuda hip",
    "triton": "Config autotune cdiv heuristics jit next_power_of_2",
}
ONLY = {module: _words(members) for module, members in _ONLY.items()}
MODULES = OPEN | ONLY.keys()

# Modules that can be reached through an open one and are none of ours to use: its own imports, and its machinery.
BEHIND = _words("""
    F abc builtins classes collections contextlib copy copyreg ctypes dataclasses functools glob importlib inspect io
    itertools logging math np operator os platform stdlib_re sys textwrap threading torch types typing warnings weakref
    accelerator ao common_types core cpp cpu export functional futures fx intrinsic jit masked modules monitor mps mtia
    onnx overrides parallel profiler qat quantizable quantization quantized quasirandom return_types semantic signal standard
    storage testing torch_version windows xpu
""")

_REFUSED_PATHS = {
    FILES: "torch.PyTorchFileReader torch.PyTorchFileWriter torch.get_file_path torch.hub torch.load torch.package "
    "torch.save torch.serialization torch.cuda.gds torch.cuda.tunable torch.compiler.load_cache_artifacts",
    PROCESSES: "torch.distributed torch.fork torch.futures torch.multiprocessing torch.wait",
    SEEDS: "torch.Generator torch.random torch.seed torch.cuda.random torch.cuda.seed torch.thread_safe_generator",
    CLOCK: "torch.profiler torch.autograd.profiler torch.utils.benchmark torch.ThroughputBenchmark",
    NATIVE: "torch.CompilationUnit torch.LiteScriptModule torch.classes torch.import_ir_module "
    "torch.import_ir_module_from_buffer torch.jit torch.ops.import_module torch.parse_ir torch.cuda.jiterator "
    "torch.cuda.CUDAPluggableAllocator torch.utils.cpp_extension triton.language.inline_asm_elementwise",
    SETTINGS: "torch.set_autocast_cache_enabled torch.set_autocast_cpu_dtype torch.set_autocast_cpu_enabled "
    "torch.set_autocast_dtype torch.set_autocast_enabled torch.set_autocast_gpu_dtype torch.set_default_device "
    "torch.set_default_dtype torch.set_default_tensor_type torch.set_deterministic_debug_mode "
    "torch.set_num_interop_threads torch.set_num_threads torch.use_deterministic_algorithms torch.compiler.config "
    "torch.compiler.reset torch.cuda.memory torch.cuda.set_device torch.cuda.set_per_process_memory_fraction",
    RUN_TEXT: "typing.ForwardRef typing.evaluate_forward_ref typing.get_type_hints",
    BATCHES: "torch.utils.data",
    BEYOND: "torch.nn.grad torch.nn.functional.grad triton.language.extra",
}
REFUSED_PATHS = {path: reason for reason, paths in _REFUSED_PATHS.items() for path in _words(paths)}

_REFUSED_BUILTINS = {
    FILES: "open",
    RUN_TEXT: "__import__ compile eval exec",
    INTROSPECTION: "copyright credits delattr dir globals help license locals memoryview vars",
    "nobody is there to answer": "breakpoint exit input quit",
}
REFUSED_BUILTINS = {name: reason for reason, names in _REFUSED_BUILTINS.items() for name in _words(names)}

_REFUSED_ATTRIBUTES = {  # of any object
    FILES: "dump from_file load_from_checkpoint save_checkpoint to_onnx to_torchscript tofile",
    SEEDS: "default_generator default_generators fork_rng get_rng_state get_rng_state_all initial_seed manual_seed "
    "manual_seed_all seed_all seed_everything set_rng_state set_rng_state_all",
    CLOCK: "elapsed_time",
    NATIVE: "load_library",
    SETTINGS: "set_stance",
    INTROSPECTION: "_fabric _trainer ag_code ag_frame co_code cr_code cr_frame ctypes f_back f_builtins f_code "
    "f_globals f_locals func_globals gi_code gi_frame tb_frame tb_next",
}
REFUSED_ATTRIBUTES = {name: reason for reason, names in _REFUSED_ATTRIBUTES.items() for name in _words(names)}

REFUSED_METHODS = _words("configure_callbacks predict_dataloader test_dataloader train_dataloader val_dataloader")

# What a model may ask its Trainer; everything else there is the harness.
TRAINER_READS = _words("""
    accumulate_grad_batches current_epoch estimated_stepping_batches global_step is_last_batch max_epochs max_steps
    optimizers precision training world_size
""")

# Special names that a class may define or call; the others change how Python itself treats an object.
SPECIAL_METHODS = frozenset(
    f"__{name}__"
    for name in _words("""
    init post_init new call len getitem setitem contains iter next repr str hash bool int float index enter exit
    eq ne lt le gt ge add radd iadd sub rsub mul rmul truediv rtruediv floordiv mod pow neg matmul and or xor invert
    """)
)
SPECIAL_READS = SPECIAL_METHODS | {"__name__", "__qualname__", "__version__"}
SPECIAL_ASSIGNED = frozenset({"__all__", "__constants__", "__slots__"})

# Underscored operators of torch that have no public name.
_PRIVATE = _words("torch._assert torch._grouped_mm torch._int_mm torch._scaled_grouped_mm torch._scaled_mm")
_PRIVATE_PREFIX = "torch._foreach_"

_INSTEAD = {"time": CLOCK, "datetime": CLOCK, "random": SEEDS, "numpy": "use torch", "einops": "use view and permute"}


def objection(path: str) -> str | None:
    """Why a `train.py` may not use the imported name of a dotted path; None where it may."""
    parts = path.split(".")
    for end in range(2, len(parts) + 1):
        owner, name = ".".join(parts[: end - 1]), parts[end - 1]
        prefix = f"{owner}.{name}"
        if prefix in MODULES:
            continue
        reason = _reason(owner, name)
        if reason is not None:
            return f"uses {prefix}: {reason}"
    return None


def _reason(owner: str, name: str) -> str | None:
    path = f"{owner}.{name}"
    if path in REFUSED_PATHS:
        return REFUSED_PATHS[path]
    if name in REFUSED_ATTRIBUTES:
        return REFUSED_ATTRIBUTES[name]
    if owner in ONLY and name not in ONLY[owner]:
        inner = {module.rpartition(".")[2] for module in MODULES if module.rpartition(".")[0] == owner}
        return f"of {owner} a train.py may use only {', '.join(sorted(ONLY[owner] | inner))}"
    private = name.startswith("_") and name not in SPECIAL_READS
    if private and path not in _PRIVATE and not path.startswith(_PRIVATE_PREFIX):
        return BEYOND
    return BEYOND if owner in OPEN and name in BEHIND else None


def import_objection(module: str) -> str | None:
    """Why a `train.py` may not import a module; None where it may."""
    if module in MODULES:
        return None
    root = module.partition(".")[0]
    if root in MODULES and (reason := objection(module)) is not None:
        return reason
    hint = f" ({_INSTEAD[root]})" if root in _INSTEAD else ""
    return f"imports {module}; a train.py may import {', '.join(_roots())}{hint}"


def _roots() -> list[str]:
    """The allowed modules in a few words: without those inside another one."""
    usable = OPEN | {module for module, members in ONLY.items() if members} - {"__future__"}
    inside = {module for module in usable for other in usable if module.startswith(f"{other}.")}
    return sorted(usable - inside, key=lambda module: (module != "torch", module))
