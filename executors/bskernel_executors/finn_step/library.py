"""Import the installed FINN+ so that every step that needs neither Vivado nor torch can run.

While it is imported, FINN+ compiles a binding of Vivado's simulator, and its LayerNorm imports torch. Few steps need
either, so stubs replace them, which fail with an explanation when they are used.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import os
import sys
import types
from typing import NoReturn

from bskernel_executors.finn_step.library_steps import find_library_steps
from bskernel_executors.finn_step.memory_words import replace_packing
from bskernel_executors.finn_step.paths import finn_folders
from bskernel_executors.finn_step.settings import defer_settings
from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.deferred_imports import deferred_imports
from bskernel_executors.sdk.known_sources import find_package
from bskernel_executors.sdk.qonnx_shortcuts import SELDOM_USED
from bskernel_executors.sdk.stub_modules import TORCH, stub_modules

# Loops, simulation with Vivado, several FPGAs, and ONNX Passes, in whose place flows have qonnx' own transformations.
_SELDOM_USED = (
    "finn.builder.passes",
    "finn.transformation.fpgadataflow.loop_rolling",
    "finn.transformation.fpgadataflow.multifpga.partition_model",
    "finn.transformation.fpgadataflow.simulation",
    "finn.transformation.fpgadataflow.simulation_build",
    "finn.transformation.fpgadataflow.simulation_connected",
)
# What few layers, code generation and displays need; and the settings of finn.util.settings, a model of pydantic's.
_LIBRARIES_SELDOM_USED = (
    "scipy.special",
    "bitstring",
    "jinja2",
    "rich.console",
    "rich.progress",
    "finn.interface.settings",
    *SELDOM_USED,
)
_CHECK_FOR_TORCH = ("onnx_ir", "onnx_passes")  # imported by them alone
_FITTED = "finn.analysis.fpgadataflow.empirical_qor_estimation"
_SIMULATION_NAMES = (
    "SimEngine",
    "locate_glbl",
    "compile_sim_obj",
    "get_simkernel_so",
    "load_sim_obj",
    "reset_rtlsim",
    "close_rtlsim",
    "rtlsim_multi_io",
)


class NoSimulator:
    """Stub for FINN's binding of Vivado's simulator. Fails when it is used."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        _refuse_simulation()


def _refuse_simulation() -> NoReturn:
    raise StepFailure(
        category="environment",
        message="this step simulates with Vivado's xsim, whose binding finn_xsi is not part of this executor",
        hint="switch the simulation off; flow rtl simulates RTL layers with Verilator",
    )


def _bind_simulation() -> None:
    """Make finn.xsi importable without compiling it: 1.6.1 binds names lazily, 1.4.0 imports finn_xsi.

    Also with Vivado, because both versions would compile the binding into FINN's folder while a session starts.
    """
    # 1.4.0 tries to compile its simulation driver while it is imported: let that fail at once, quietly.
    os.environ.setdefault("FINN_XSI", os.devnull)
    installer = types.ModuleType("finn.xsi.setup")
    installer.__dict__["main"] = lambda: 1
    sys.modules["finn.xsi.setup"] = installer
    with contextlib.redirect_stdout(io.StringIO()):
        xsi = importlib.import_module("finn.xsi")
    xsi.__dict__["is_available"] = lambda: False
    for name in _SIMULATION_NAMES:
        xsi.__dict__[name] = NoSimulator
    driver = find_package("finn_xsi")
    for name in ("finn_xsi", "finn_xsi.sim_engine", "finn_xsi.adapter"):
        module = types.ModuleType(name)
        for attribute in _SIMULATION_NAMES:
            setattr(module, attribute, NoSimulator)
        sys.modules[name] = module
    sys.modules["finn_xsi"].__dict__.update(
        sim_engine=sys.modules["finn_xsi.sim_engine"], adapter=sys.modules["finn_xsi.adapter"]
    )
    if driver is not None:
        sys.modules["finn_xsi"].__path__ = [str(driver)]  # FINN's settings name the folder


class NoFittedModels:
    """Stub for FINN's estimators fitted to measured designs, when no such models are configured."""

    @staticmethod
    def load_from_env() -> None:
        """Return None, as FINN does without models."""


def _skip_fitted_models() -> tuple[str, ...]:
    """Skip what FINN+ 1.6.1 imports for estimates by fitted models, unless such models are configured.

    This saves a second of importing scikit-learn and scipy.stats at every start. Returns modules that remain unused.
    """
    if os.environ.get("FINN_QOR_MODEL_DIR") or importlib.util.find_spec("finn.qor") is None:
        return ()
    module = types.ModuleType(_FITTED)
    module.__dict__["QoRModelSet"] = NoFittedModels
    for name in ("empirical_res_estimation", "empirical_power_estimation"):
        module.__dict__[name] = NoFittedModels  # only ever called with a set of models
    sys.modules[_FITTED] = module
    return ("scipy.stats", "sklearn.base")


def _compile_serializers_when_used() -> None:
    """Let FINN's configuration make the code that reads and writes its JSON and YAML when it is first called."""
    if importlib.util.find_spec("mashumaro") is not None:
        importlib.import_module("mashumaro.config").BaseConfig.lazy_compilation = True


def load(*, defer: bool = False) -> None:
    """Import FINN's step modules into this process, with the executor's packing of words in place of FINN's.

    With `defer`, what few steps use, and takes more than half of the time, is imported where a step uses it.
    """
    unused = _skip_fitted_models()
    deferred = (*_SELDOM_USED, *_LIBRARIES_SELDOM_USED) if defer else ()
    checks = _CHECK_FOR_TORCH if defer else ()
    if defer:
        _compile_serializers_when_used()
    with (
        stub_modules(*TORCH, unused=(*unused, *checks)),
        deferred_imports(deferred, lambda: stub_modules(*TORCH, unused=unused)),
    ):
        replace_packing()
        _bind_simulation()
        importlib.import_module("finn.builder.build_dataflow_steps")
        defer_settings()
        finn_folders()  # found once for all steps
        find_library_steps(())  # its modules are imported here, where the stubs are
        if importlib.util.find_spec("finn.qor") is not None:  # FINN+ 1.6.1, for which the library is written
            importlib.import_module("bskernel_executors.open_rtl.registration").register()
