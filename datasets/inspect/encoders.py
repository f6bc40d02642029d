"""Which encoders of patches give features of a width: hints, since many share one.

Widths are those that TRIDENT's and slideflow's documentation give for the encoders, and CLAM's for its ResNet-50.
"""

from __future__ import annotations

_ENCODERS: dict[int, tuple[str, ...]] = {
    384: ("Lunit ViT-S/8", "Kaiko ViT-S", "GigaPath-Flash"),
    512: ("CONCH", "PLIP"),
    768: ("CONCH v1.5", "CTransPath", "Phikon", "KEEP", "H0-mini (CLS token)", "Kaiko ViT-B"),
    1024: ("UNI", "ResNet-50 cut after its third block (CLAM)", "Phikon-v2", "MUSK", "GPFM", "Hibou-L", "Kaiko ViT-L"),
    1280: ("Virchow or Virchow2 (CLS token)",),
    1536: ("UNI2-h", "Prov-GigaPath", "H-optimus-0 or H-optimus-1", "OpenMidnight"),
    2048: ("ResNet-50", "RetCCL"),
    2560: ("Virchow or Virchow2 (CLS token with mean of the patch tokens)",),
    3072: ("Midnight-12k",),
    4608: ("GenBio-PathFM",),
}


def encoders_of(width: int) -> str:
    """Words on the encoders that have this width.

    >>> encoders_of(512)
    'can be CONCH or PLIP, among others'
    >>> encoders_of(708)
    'no encoder of this width is known here'
    """
    names = _ENCODERS.get(width)
    if names is None:
        return "no encoder of this width is known here"
    return f"can be {' or '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)}, among others"
