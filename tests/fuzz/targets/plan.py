"""The plan of the paper's tables."""

from __future__ import annotations

from pathlib import Path

from utils.runs.run_plan import read_plan

SUFFIX = ".csv"
_PLAN = """task,dataset,model,formulation,ablate,n_clusters,seed,run_dir
cls,toy,mico,released,,64,2024,cls/toy/mico_released
cls,toy,mico,released,route,64,2024,cls/toy/mico_route
surv,toy,abmil,none,,64,1,surv/toy/abmil
"""


def seeds(folder: Path) -> list[Path]:
    path = folder / "plan.csv"
    path.write_text(_PLAN)
    return [path]


def read(path: Path) -> None:
    read_plan(path)
