"""The names under which cards give facts, and the words for modalities. Data only.

Invariant: names are matched after ``normal``, as headings are.
"""

from __future__ import annotations

from typing import Final

from comity.client.importing.heading_words import any_of

FACT_NAMES: Final = {
    "developer": any_of(
        r"^(model )?(developers?|developed by|providers?|creators?|created by|vendor)",
        r"^organi[sz]ation",
        r"^d[ée]velopp[ée]|^entwickel|^entwickler|^desarrollad|^desenvolvid|^sviluppat|^開発(者|元)",
        r"^开发(者|机构|团队)|^개발",
    ),
    "licence": any_of(
        r"^(model )?licen[cs]es?$|^lizenz|^licencia|^licença|^ライセンス|^许可|^라이선스"
    ),
    "architecture": any_of(
        r"^(model |base model )?(architecture|structure|type)$|^アーキテクチャ|^架构"
    ),
    "parameters": any_of(
        r"^(total |number of )?(model )?(parameters?|size|params|parameter (size|count))$",
        r"^paramètres|^parameteranzahl|^parámetros|^パラメータ数?|^参数量?|^매개변수",
    ),
    "languages": any_of(
        r"^(supported )?languages?( ?\(s\))?( \(nlp\))?$|^langues?$|^sprachen?$|^idiomas?"
    ),
    "released": any_of(
        r"^(model |release )?(release )?date( estimate)?$|^released?$|^date de sortie"
    ),
    "version": any_of(r"^(model )?version$"),
    "base_models": any_of(r"^(fine-?tuned from|base model)( model)?$"),
    "modalities": any_of(r"^(input|output) modalit(y|ies)$"),
}
"""Names under which cards give facts about a model, by field of ``Details`` (and ``version``)."""

_MODALITY_WORDS: Final = {
    "text": "text fill sentence translation summarization token",
    "image": "image images vision visual",
    "audio": "audio speech",
    "video": "video",
    "code": "code",
}

MODALITIES: Final = {
    word: modality for modality, words in _MODALITY_WORDS.items() for word in words.split()
}
"""The modality, by a word of a text or of a pipeline's name."""
