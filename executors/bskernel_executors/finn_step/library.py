"""Import the installed FINN+ so that every step runs which needs neither Vivado nor torch.

FINN+ binds Vivado's simulation interface while it is imported, and compiles it for that; its LayerNorm imports torch.
Both are used by few steps. Names that explain themselves stand in for them, and fail when they are used.
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

from bskernel_executors.sdk import StepFailure
from bskernel_executors.sdk.stub_modules import TORCH, stub_modules

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
    """Stands for FINN's binding of Vivado's simulator, which is not built here: fails when it is asked for."""

    def __init__(self, *_args: object, **_kwargs: object) -> None:
        _refuse_simulation()


def _refuse_simulation() -> NoReturn:
    raise StepFailure(
        category="environment",
        message="this step asks for a simulation by Vivado's xsim, whose binding finn_xsi is not built here",
        hint="leave the simulation out of the step; flow rtl simulates chains of RTL layers with Verilator",
    )


def _bind_simulation() -> None:
    """Make finn.xsi importable without compiling it: 1.6.1 binds lazy names, 1.4.0 imports finn_xsi.

    Where Vivado is mounted, too: both would compile the binding while a session starts, into FINN's own folder.
    """
    # 1.4.0 tries to compile its simulation driver while it is imported: let that attempt fail at once, quietly.
    os.environ.setdefault("FINN_XSI", os.devnull)
    installer = types.ModuleType("finn.xsi.setup")
    installer.__dict__["main"] = lambda: 1
    sys.modules["finn.xsi.setup"] = installer
    with contextlib.redirect_stdout(io.StringIO()):
        xsi = importlib.import_module("finn.xsi")
    xsi.__dict__["is_available"] = lambda: False
    for name in _SIMULATION_NAMES:
        xsi.__dict__[name] = NoSimulator
    for name in ("finn_xsi", "finn_xsi.sim_engine", "finn_xsi.adapter"):
        module = types.ModuleType(name)
        for attribute in _SIMULATION_NAMES:
            setattr(module, attribute, NoSimulator)
        sys.modules[name] = module
    sys.modules["finn_xsi"].__dict__.update(
        sim_engine=sys.modules["finn_xsi.sim_engine"], adapter=sys.modules["finn_xsi.adapter"]
    )


class NoFittedModels:
    """FINN's own set of models fitted to measured designs, where none are named: it has none."""

    @staticmethod
    def load_from_env() -> None:
        """As FINN's own says it."""


def _put_off_fitted_models() -> tuple[str, ...]:
    """FINN+ 1.6.1 can also estimate by fitted models: where none are named, leave out what it imports for them.

    That is a second of scikit-learn and scipy.stats at every start. Returns what nothing imports then.
    """
    if os.environ.get("FINN_QOR_MODEL_DIR") or importlib.util.find_spec("finn.qor") is None:
        return ()
    module = types.ModuleType(_FITTED)
    module.__dict__["QoRModelSet"] = NoFittedModels
    for name in ("empirical_res_estimation", "empirical_power_estimation"):
        module.__dict__[name] = NoFittedModels  # only ever called with a set of models
    sys.modules[_FITTED] = module
    return ("scipy.stats", "sklearn.base")


def load() -> None:
    """Import FINN's step modules into this process."""
    with stub_modules(*TORCH, unused=_put_off_fitted_models()):
        _bind_simulation()
        importlib.import_module("finn.builder.build_dataflow_steps")
