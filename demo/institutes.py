"""The eleven sample institutes: one for each signatory of the annex to the Seoul Declaration.

Invariants: every id ends in ``.aisi.example``, a name that RFC 6761 reserves, and every name says
that it is a sample, so that nobody takes one for the real institute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Institute:
    """One sample institute: ``short`` is its country code, ``names`` are by BCP 47 tag."""

    short: str
    names: dict[str, str]

    @property
    def id(self) -> str:
        """Institute id, such as uk.aisi.example."""
        return f"{self.short}.aisi.example"


INSTITUTES: Final = (
    Institute("au", {"en": "Sample institute of Australia"}),
    Institute("ca", {"en": "Sample institute of Canada", "fr": "Institut d'exemple du Canada"}),
    Institute("de", {"en": "Sample institute of Germany", "de": "Musterinstitut Deutschland"}),
    Institute(
        "eu",
        {
            "en": "Sample institute of the European Union",
            "fr": "Institut d'exemple de l'Union européenne",
            "de": "Musterinstitut der Europäischen Union",
        },
    ),
    Institute("fr", {"en": "Sample institute of France", "fr": "Institut d'exemple de la France"}),
    Institute("it", {"en": "Sample institute of Italy", "it": "Istituto di esempio dell'Italia"}),
    Institute("jp", {"en": "Sample institute of Japan", "ja": "日本の見本研究所"}),
    Institute(
        "kr", {"en": "Sample institute of the Republic of Korea", "ko": "대한민국 견본 연구소"}
    ),
    Institute(
        "sg",
        {
            "en": "Sample institute of Singapore",
            "zh": "新加坡示例研究所",
            "ms": "Institut contoh Singapura",
            "ta": "சிங்கப்பூர் மாதிரி நிறுவனம்",
        },
    ),
    Institute("uk", {"en": "Sample institute of the United Kingdom"}),
    Institute("us", {"en": "Sample institute of the United States"}),
)
"""In the order of their ids."""
