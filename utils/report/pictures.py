"""Pictures within a page: PNG files as data URIs, no larger than a screen shows."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from utils.errors import UserError
from utils.explain.advice import ADVICE
from utils.report.content import Picture

LONGEST_SIDE = 1000  # pixels: what the enlarged picture shows
_WEBP_QUALITY = 82
_WEBP_METHOD = 2  # half the time of 4; a few per cent larger
_MAX_PIXELS_READ = 16_000_000  # 64 MB in memory; the maps of explanations have a tenth of that


def read_picture(path: Path, *, alt: str, caption: str, longest_side: int = LONGEST_SIDE) -> Picture:
    """The picture of a file, scaled down (Lanczos) so that its longer side has at most `longest_side` pixels.

    Never scaled up. Stored as WebP, which is smaller than PNG for maps and photographs.

    Raises:
        UserError: the file is missing, is no picture, or has more than 16 million pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # its size is looked at here
            image = Image.open(path)
        with image:
            if image.width * image.height > _MAX_PIXELS_READ:
                raise UserError(
                    f"{path}: has {image.width} x {image.height} pixels, expected at most 16 million; {ADVICE}."
                )
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            colours = image.convert("RGBA" if has_alpha else "RGB")
    except UnidentifiedImageError as error:
        raise UserError(f"{path}: is no picture; {ADVICE}.") from error
    except UserError:
        raise
    # Pillow's words for a damaged PNG are SyntaxError and ValueError as well.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: cannot be read ({error}); {ADVICE}.") from error
    colours.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    data = io.BytesIO()
    colours.save(data, "WEBP", quality=_WEBP_QUALITY, method=_WEBP_METHOD)
    uri = f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"
    return Picture(uri=uri, width=colours.width, height=colours.height, alt=alt, caption=caption)
