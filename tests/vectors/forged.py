"""Records that are wrong in exactly one way, signed by a key that its institute has published.

``DEFECTS`` holds them by name, with the reason, field and limit that a refusal must state.
"""

from __future__ import annotations

from typing import Final

from tests.vectors import forged_payloads, forged_sections
from tests.vectors.forger import Defect

DEFECTS: Final[dict[str, Defect]] = forged_payloads.DEFECTS | forged_sections.DEFECTS
