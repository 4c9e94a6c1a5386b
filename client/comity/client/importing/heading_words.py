"""The words by which cards say things, in several languages. Data only; nothing decides here.

Headings are matched after ``normal``: lower case, without markup, numbering, emoji and final
colon. A pattern stands for a topic, not for a language, so that a heading that mixes languages
("限制 (Limitations)") matches too. Invariant: adding a language changes this file alone.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final


class Topic(Enum):
    """What a passage is about."""

    LIMITATION = auto()
    RISK = auto()
    CAUTION = auto()
    """Limitations and risks among other things: each statement is judged by its own words."""
    OUT_OF_SCOPE = auto()
    INTENDED = auto()
    CAPABILITY = auto()
    EVALUATION = auto()
    OTHER = auto()
    """Something else by name, such as a licence: nothing is inherited from above."""


def any_of(*alternatives: str) -> re.Pattern[str]:
    """Compile a pattern that finds any of the alternatives, whatever their case."""
    return re.compile("|".join(alternatives), re.IGNORECASE)


NOT_ABOUT_THE_MODEL: Final = any_of(
    r"licen[cs]|\bterms\b|taxonom|\bpolic(y|ies)\b|guideline|citation|contact|acknowledg",
    r"install|requirement|quick ?start|get started|getting started|\bhow to\b|\bhow do\b",
    r"training (data|specs|details|config)|^(the )?datasets?$|training procedure|hyperparameter",
    r"framework versions|\bnews\b|changelog|updates?$",
    r"nouvelles|mises à jour|neuigkeiten|novedades|新闻|更新|ニュース|소식|hardware",
    r"community|contribut|faq|table of contents|^contents|glossary|references?$|resources?$",
    r"links?$|authors?$|download|deploy|fine-?tuning|environmental impact|carbon|risk reduction",
    r"licence|lizenz|licencia|ライセンス|许可|協議|协议|引用|라이선스|лицензи|installation|安装",
)
"""A heading with one of these is Topic.OTHER unless it also names a topic outright."""

HEADINGS: Final = {
    Topic.LIMITATION: any_of(
        r"\blimitations?\b|\blimits\b|caveats?|known issues|shortcomings?|weakness|drawbacks?",
        r"failure (modes|cases)|what .{0,20}(can ?not|can't)|not good at|known problems",
        r"^limites?\b|\blimites? (et|du|connues)|mises en garde|avertissements?|faiblesses",
        r"einschränkung|\bgrenzen\b|limitierung|schwächen|beschränkung|limitaci(ón|ones)",
        r"\blímites\b|advertencias|debilidades|limitações|limitação|limitazion[ei]|\blimiti\b",
        r"beperking|ograniczeni|ограничени|sınırlama|giới hạn|keterbatasan|ข้อจำกัด|القيود|सीमाएँ",
        r"制限|制約|限界|注意点|注意事項|既知の問題|課題|局限|限制|不足|注意事项|已知问题|侷限|缺点",
        r"한계|제한|제약|주의 ?사항|알려진 문제",
    ),
    Topic.RISK: any_of(
        r"\brisks?\b|\bbias(es)?\b|\bethic(s|al)\b|\bharms?\b|misuse|malicious|malevolent|toxicity",
        r"broader (implication|impact)|societal (impact|implication)|dual[- ]use|fairness",
        r"child safety|cyber ?security|cyber attack|\bcbrne?\b",
        r"\brisques?\b|\bbiais\b|éthique|abusi[fv]|malveillan|risik|verzerrung|voreingenommen",
        r"\bethik|ethisch|missbrauch|riesgos?|sesgos?|étic[ao]s?|uso indebido|riscos?|\bvi[ée]s",
        r"rischi\b|pregiudizi|\betic|risico|ryzyk|риск|предвзят|этик|этич|ความเสี่ยง|المخاطر",
        r"リスク|バイアス|偏り|偏見|倫理|悪用|誤用|风险|風險|偏见|偏差|伦理|倫理|滥用|濫用|危害",
        r"위험|편향|윤리|오용|악용|리스크",
    ),
    Topic.CAUTION: any_of(
        r"considerations?\b|\bsafety\b|responsib(le|ility)|disclaimers?|warnings?|recommendations?",
        r"\bprivacy\b|important notes?|caution|good to know|evaluated use",
        r"sécurité|responsab|précautions?|recommandations?|sicherheit|verantwort|hinweise?\b",
        r"seguridad|recomendaci|segurança|sicurezza|安全|免责|免責|注意|責任|안전|책임|безопасност",
    ),
    Topic.OUT_OF_SCOPE: any_of(
        r"out[- ]of[- ]scope|misuse|prohibited|unintended use|unsuitable|inappropriate use",
        r"\bnot (intended|recommended|suitable|designed)\b|should not be used|malicious use",
        r"hors (du )?(champ|périmètre|cadre|sujet)|usages? (interdit|non prévu|à éviter|abusif)",
        r"utilisations? (interdite|non prévue|abusive|déconseillée)|non recommandée?s?",
        r"nicht (vorgesehen|bestimmungs|empfohlen)|außerhalb|zweckfremd|unzulässig|missbrauch",
        r"fuera (de|del)|usos? (prohibido|no previsto|indebido|no recomendado)|fora d[oe] escopo",
        r"fora do âmbito|fuori (ambito|portata)|us[oi] (non previst|vietat|improp)|недопустим",
        r"対象外|想定外|禁止|推奨されない|非推奨|悪用|超出范围|範圍外|范围外|不适用|非预期|不推荐|滥用",
        r"범위 ?외|범위를 벗어|금지|부적절|권장되지",
    ),
    Topic.INTENDED: any_of(
        r"intended (use|purpose|application)|use[- ]cases?\b|(direct|downstream) use\b|^uses?$",
        r"(primary|secondary|evaluated|suitable|recommended) (intended )?uses?\b|^applications?$",
        r"model use$|\buses (and|&)|(utilisations?|usages?) (prévu|envisagé|direct|recommandé)",
        r"cas d['’](usage|utilisation)|vorgesehen|bestimmungsgemäß|verwendungszweck|einsatzzweck",
        r"einsatz(gebiet|bereich)|anwendungsf[aä]ll",
        r"usos? (previsto|directo|recomendado|pretendido)",
        r"casos de uso|us[oi] (previst|consentit|dirett)|casi d['’]uso|beoogd gebruik|назначени",
        r"用途|利用目的|使用目的|想定.{0,6}(利用|使用)|ユースケース|适用场景|应用场景|使用场景|适用范围",
        r"용도|사용 ?목적|사용 ?사례|활용",
    ),
    Topic.CAPABILITY: any_of(
        r"capabilit(y|ies)|(key|main|model|core) (features|enhancements|strengths|capabilit)",
        r"^features$|^highlights|^strengths|supported (tasks|features)|what .{0,16} can do",
        r"capacités|fonctionnalités|points forts|fähigkeiten|stärken\b|merkmale|funktionen",
        r"capacidades|características|funciones|capacità|funzionalità|punti di forza|возможност",
        r"能力|特徴|機能|できること|功能|特点|特性|亮点|優れた|기능|능력|특징|강점",
    ),
    Topic.EVALUATION: any_of(
        r"evaluations?\b|\bresults?\b|benchmark|performance|\bmetrics\b|scores?\b|accuracy",
        r"comparisons?\b|comparing|quantitative anal|effective context|leaderboard",
        r"évaluation|résultats|ergebnis|auswertung|bewertung|leistung|evaluación|resultados",
        r"rendimiento|avaliaç|desempenho|valutazion|risultati|prestazioni|оценк|результат",
        r"評価|結果|性能|ベンチマーク|评测|评估|评价|结果|效果|表现|평가|결과|성능|벤치마크",
    ),
}

LANGUAGE_WORDS: Final = {
    "en": frozenset(
        [
            "the",
            "of",
            "and",
            "is",
            "to",
            "in",
            "for",
            "this",
            "are",
            "with",
            "that",
            "model",
            "it",
            "be",
        ]
    ),
    "fr": frozenset(
        [
            "le",
            "la",
            "les",
            "des",
            "une",
            "est",
            "et",
            "pour",
            "dans",
            "que",
            "du",
            "ce",
            "sur",
            "modèle",
            "par",
        ]
    ),
    "de": frozenset(
        [
            "der",
            "die",
            "das",
            "und",
            "ist",
            "ein",
            "eine",
            "für",
            "mit",
            "nicht",
            "den",
            "von",
            "modell",
            "wird",
            "auf",
        ]
    ),
    "es": frozenset(
        [
            "el",
            "los",
            "las",
            "una",
            "es",
            "y",
            "para",
            "en",
            "del",
            "que",
            "con",
            "por",
            "modelo",
            "se",
            "no",
        ]
    ),
    "pt": frozenset(
        [
            "o",
            "os",
            "as",
            "uma",
            "é",
            "e",
            "para",
            "em",
            "do",
            "da",
            "que",
            "com",
            "por",
            "modelo",
            "não",
        ]
    ),
    "it": frozenset(
        [
            "il",
            "gli",
            "una",
            "è",
            "e",
            "per",
            "di",
            "che",
            "con",
            "del",
            "della",
            "modello",
            "sono",
            "non",
        ]
    ),
    "nl": frozenset(
        [
            "de",
            "het",
            "een",
            "is",
            "en",
            "voor",
            "van",
            "met",
            "niet",
            "dat",
            "op",
            "model",
            "zijn",
            "wordt",
        ]
    ),
}

FACTS: Final = {
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

LANGUAGES: Final = {
    "arabic": "ar", "bengali": "bn", "chinese": "zh", "czech": "cs", "danish": "da",
    "dutch": "nl", "english": "en", "finnish": "fi", "french": "fr", "german": "de",
    "greek": "el", "hebrew": "he", "hindi": "hi", "indonesian": "id", "italian": "it",
    "japanese": "ja", "korean": "ko", "norwegian": "no", "persian": "fa", "polish": "pl",
    "portuguese": "pt", "romanian": "ro", "russian": "ru", "spanish": "es", "swahili": "sw",
    "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
    "français": "fr", "anglais": "en", "deutsch": "de", "englisch": "en", "español": "es",
    "inglés": "en", "日本語": "ja", "英語": "en", "中文": "zh", "英文": "en", "한국어": "ko",
    "영어": "en",
    "ara": "ar", "ces": "cs", "chi": "zh", "cmn": "zh", "deu": "de", "dut": "nl", "eng": "en",
    "fas": "fa", "fra": "fr", "fre": "fr", "ger": "de", "hin": "hi", "ind": "id", "ita": "it",
    "jpn": "ja", "kor": "ko", "nld": "nl", "nor": "no", "pol": "pl", "por": "pt", "rus": "ru",
    "spa": "es", "swe": "sv", "tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi", "zho": "zh",
}  # fmt: skip
"""Names and ISO 639-2 codes of languages, with the shortest tag, which BCP 47 asks for."""

MODALITIES: Final = {
    "text": "text", "image": "image", "images": "image", "audio": "audio", "speech": "audio",
    "video": "video", "code": "code", "vision": "image", "visual": "image", "fill": "text",
    "sentence": "text", "translation": "text", "summarization": "text", "token": "text",
}  # fmt: skip
