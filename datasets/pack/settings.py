"""The settings of `datasets.pack`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from utils.command.arguments import REQUIRED, option
from utils.command.checks import check_choices, check_limits
from utils.command.limits import THREADS, Limits
from utils.command.verify_option import verify_option


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """What is packed, and where to; the numbers of the features are those of the files."""

    features_dir: tuple[Path, ...] = option(REQUIRED, "directories of feature files", role="place")
    output_dir: Path = option(
        REQUIRED, "the folder of the pack, on a local disk: give it as --features_dir afterwards", role="place"
    )
    workers: int = option(4, "number of threads that read files", role="run", limits=Limits(1, THREADS))
    verify: str = verify_option()
    overwrite: bool = option(
        False, "replace the pack in OUTPUT_DIR; slides whose files did not change are taken from it", role="run"
    )

    def __post_init__(self) -> None:
        """Validate the settings."""
        check_choices(self)
        check_limits(self)
