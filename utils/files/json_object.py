"""Reading a JSON object that another stage wrote; `utils.files.atomic.write_json` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from utils.errors import NO_FILE, UserError, cannot_read


def read_json_object(path: Path, *, advice: str) -> dict[str, Any]:
    """The object of a JSON file in UTF-8, also with the mark that editors of Windows put in front.

    Args:
        path: of the file.
        advice: what a user should do about a damaged file; every message ends with it.

    Raises:
        UserError: the file cannot be read, is no JSON text, or holds something else than an object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except NO_FILE as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}.") from error
    except OSError as error:
        raise cannot_read(path, error) from error
    except (ValueError, RecursionError) as error:  # lists in lists in lists, a thousand deep
        raise UserError(f"{path}: is no JSON text ({error}); {advice}.") from error
    if not isinstance(value, dict):
        raise UserError(f"{path}: holds {type(value).__name__}, expected a JSON object; {advice}.")
    return value
