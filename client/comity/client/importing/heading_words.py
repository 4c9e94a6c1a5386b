"""The words by which headings name their topics, in several languages. Data only.

Headings are matched after ``normal``: lower case, without markup, numbering, emoji and final
colon. A pattern stands for a topic, not for a language, so that a heading that mixes languages
("限制 (Limitations)") matches too. Invariant: a new language changes only the modules of words.
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
"""A heading with one of these is Topic.OTHER, unless it names limitations or uses out of scope."""

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
"""The headings of each topic; one heading may name several."""
