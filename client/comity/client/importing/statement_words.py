"""The words that make a statement one of a limitation, a risk or a capability. Data only.

As in ``heading_words``, patterns mix languages on purpose, and nothing is decided here.
"""

from __future__ import annotations

from typing import Final

from comity.client.importing.heading_words import any_of

LIMITING: Final = any_of(
    r"\bnot\b|\bcannot\b|n['’]t\b|\bnever\b|\bno longer\b|\bonly\b|\blimit|\black|\bfail|unable",
    r"struggl|inaccura|incorrect|\berror|\bworse|\bpoor|difficult|degrad|hallucinat|outdated",
    r"\bprone\b|susceptible|imperfect|\blossy\b|weak|mislead|unreliable|unpredict|misinterpret",
    r"shortcoming|require(s)? (human|careful)|may (produce|generate|contain|exhibit|miss|require)",
    r"can (produce|generate|hallucinate)|still be|overfit|drift|\bonly been\b|less (accurate|well)",
    r"still (an? )?(issue|problem|present|exist|observed|applied)|nonsens|constrain|caution",
    r"\bpas\b|limité|incapable|erron|uniquement|\bnicht\b|\bkein|begrenzt|beschränkt|fehler",
    r"\bnur\b",
    r"\bno (puede|es|está)|limitad|solo\b|incapaz|\bnão\b|\bnon (è|può)|solo\b|\bне\b|только",
    r"ない|ません|限ら|制限|誤|不正確|不|无法|無法|仅|限于|错误|难以|尚未|않|없|못|제한|오류|부정확",
)
"""Words of a statement that something does not work."""

STRAY: Final = any_of(
    r"(\b(is|are|was|were|has|have|been)|['’]s) not (been )?(intended|designed|suitable|meant)\b",
    r"\b(is|are|was|were|has|have) not (been )?(trained|evaluated|tested|filtered|recommended)\b",
    r"should (not|never) be (used|relied|deployed|considered|trusted)|not immune|not perfect",
    r"(known|some|several|main|major) limitations?\b|(has|have|with) limitations",
    r"potentially (inaccurate|harmful|biased|incorrect)|hallucinat|may be inaccurate",
    r"\b(may|might|will|does|do|can) ?not (always |yet )?(perform|work|generali[sz]e|handle)",
    r"perform(s|ed)? (\w+ )?(poorly|worse|unevenly|badly)|degrades? (its|the) (perform|qual)",
    r"(scores?|performance|quality|accuracy) (may|can|might|will) (degrade|drop|suffer)",
    r"\bis sensitive to",
    r"(may|might|can|could|sometimes|often) (still |also )?"
    r"(produce|generate|contain|output|exhibit)\b"
    r".{0,80}(inaccura|incorrect|bias|harm|offens|error|mislead|unexpected|nonsens|toxic|false|unsafe"
    r"|inappropriate|objectionable|repetit|stereotyp)",
    r"not suitable|still lacks|struggles? with|prone to|fails? to|underperform",
    r"cannot be (guaranteed|predicted)|caution against|advise against",
    r"exercise (discretion|caution)",
    r"模型(可能|不能|无法)|不适(合|用)|意図されていません|保証(され|でき)ません|적합하지 않",
)
"""Sentences that state a limitation wherever they stand, if they speak of a SUBJECT."""

SUBJECT: Final = any_of(
    r"\b(this|the|our|these) (\S+ ){0,3}models?\b|\bit\b|\bthey\b|\boutputs?\b|predictions",
    r"^(the )?\S+( \S+)? (is|are|was|has|have|may|might|does)\b",
    r"\b(performs?|performance|scores?)\b",
    r"\bcontent\b|\bmodels?\b|模型|モデル|모델|\bmodèle|\bmodell|\bmodelo",
)

CAPABLE: Final = any_of(
    r"\b(is|are) (also )?(highly |fully )?(capable of|able to|optimi[sz]ed for|well[- ]suited)\b",
    r"\b(models?|it) can (also )?(be used|generate|perform|produce|understand|process|answer)\b",
    r"\bexcels? (at|in)\b|\b(models?|it) (supports?|handles?|understands?)\b|^optimi[sz]ed for",
    r"\bsupports? (over |more than |up to )?\d+\+? (\w+ )?languages|can be used (for|to)\b",
    r"^(strong|supports)\b.{0,60}capabilit|state[- ]of[- ]the[- ]art (performance|results)",
    r"robustness to|\b(est|sont) capables? de|\bist in der Lage|\bes capaz de|ことができます",
    r"模型能够|할 수 있습니다",
)
"""Sentences that state a capability wherever they stand."""

POSSIBLE: Final = any_of(
    r"\b(may|might|can|could|potential(ly)?|likely|possible|possibly|remain|susceptible|prone)\b",
    r"\breflect|\binherent|\bexhibit|peut|pourrait|kann|könn|puede|podría|pode\b|può|может|могут",
    r"可能|恐れ|おそれ|かもしれ|수 있",
)
"""Words of a statement that something may happen."""

NOT_INTENDED: Final = any_of(
    r"\bnot (intended|suitable|recommended|designed|meant)\b|should not be used|out of scope",
    r"advise against|caution against|pas (destiné|recommandé)|nicht (geeignet|bestimmt)",
    r"no (está destinado|se recomienda)|意図されていません|不适(合|用)|적합하지 않",
)
"""Words of a statement that a use is not intended."""

HARMS: Final = (
    (
        r"\bcbrn|chemical (and|or|,) bio|biological weapon|chemical weapon|bioweapon|radiologic|"
        r"nuclear (weapon|and|or)|化学武器|生物武器",
        "nist-ai-600-1:cbrn",
    ),
    (
        r"child (safety|sexual|exploitation|abuse|pornogra)|\bcsam\b|sexual|\bnsfw\b|porn|nudity|"
        r"explicit (content|image)|obscen|degrading|dehumaniz|児童|色情|성적",
        "nist-ai-600-1:obscene-content",
    ),
    (
        r"disinformation|misinformation|propagand|influence operation|deepfake|fake news|"
        r"impersonat|\bfraud|\bspam\b|deception|deceptive|defamation|désinformation|虚假信息|偽情報|"
        r"허위",
        "nist-ai-600-1:information-integrity",
    ),
    (
        r"cyber|malware|jailbreak|prompt (injection|attack)|adversarial|phishing|insecure code|"
        r"security (risk|vulnerab|threat)|adaptive attack|网络攻击",
        "nist-ai-600-1:information-security",
    ),
    (
        r"privacy|personal (data|information)|surveillance|facial recognition|personally identif|"
        r"without (the |their |his |her )?consent|re-?identif|vie privée|datenschutz|privacidad|"
        r"隐私|個人情報|"
        r"개인 ?정보",
        "nist-ai-600-1:data-privacy",
    ),
    (
        r"copyright|intellectual property|plagiari|without attribution|droits d'auteur|"
        r"urheberrecht|"
        r"著作権|版权|저작권",
        "nist-ai-600-1:intellectual-property",
    ),
    (
        r"\bbias(es|ed)?\b|biase\b|stereotyp|discriminat|unfair|fairness|under-?represent|"
        r"over-?represent|prejudic|marginali[sz]|\bbiais|verzerr|vorurteil|sesgo|\bvi[eé]s\b|"
        r"pregiudiz|предвзят|偏见|偏見|偏差|バイアス|偏り|歧视|差別|편향|차별",
        "nist-ai-600-1:harmful-bias",
    ),
    (
        r"hallucinat|confabul|fabricat|as if it were factual|appears factual|nonsensical content|"
        r"(inaccurate|incorrect|false) (information|content|or|facts)|not actually spoken|"
        r"halluzin|alucinaci|幻覚|ハルシネーション|幻觉|捏造|환각",
        "nist-ai-600-1:confabulation",
    ),
    (
        r"\bhate|violen|toxic|\bweapons?\b|self-harm|suicid|terroris|extremis|harass|abusive|"
        r"offensive|objectionable|disturbing|hateful|haine|gewalt|odio|暴力|仇恨|憎悪|폭력|혐오|유해|有害",
        "nist-ai-600-1:dangerous-content",
    ),
    (
        r"over-?relian|automation bias|anthropomorph|critical (automatic )?decision|high-stakes|"
        r"high-risk|過度に?依存|过度依赖",
        "nist-ai-600-1:human-ai-configuration",
    ),
    (
        r"\brisks?\b|misus|\bharm|malicious|dangerous|unsafe|dual-use|illegal|criminal|unethical|"
        r"\brisque|risik|riesgo|risco|\brischi|риск|リスク|危険|悪用|风险|風險|危害|滥用|위험|악용",
        "",
    ),
)
"""Words of harm and the domain that they name, most telling first; "" for no known domain."""

FILLER: Final = any_of(
    r"\[?more information needed\]?|needs? more information|n/?a|none|tbd|tba|todo|unknown",
    r"no ideas?",
    r"this section (addresses|identifies|provides|describes|is meant|contains|is ).*",
    r"((for more|please|learn more|check)\b.{0,40})?"
    r"\b(see|refer to|check|read|visit|learn more|follow)"
    r"\b((?!\. ).){0,300}|-+|yet to be (updated|added)|.{0,80}click to expand.{0,20}|expand",
    r"(to be|being) (added|updated|completed|determined)|coming soon|not (provided|specified)",
    r".{0,200}important to understand its limitations|these limitations serve as .*",
    r".{0,60}further discuss(es)? .*|.{0,20}(code|snippet|example)s? (below|above) .*",
    r"à compléter|keine angaben?|por completar|未定|なし|无|暂无|없음",
)
"""Whole statements that say nothing about the model."""

CAPABILITIES: Final = (
    (r"\bcod(e|ing)\b|program|コード|代码|코드", "coding"),
    (r"tool|function[- ]call|agent|工具", "tool-use"),
    (r"math|数学|수학", "mathematics"),
    (r"reason|推論|推理|추론", "reasoning"),
    (
        r"multilingual|languages|translat|多言語|多语言|다국어|langues|sprachen|idiomas",
        "multilingual",
    ),
    (r"long[- ](context|document|text)|context (window|length)|\d+k tokens", "long-context"),
    (r"image|vision|visual|video|画像|图像|이미지", "vision"),
    (r"speech|audio|transcri|voice|音声|语音|음성", "speech"),
    (r"retriev|embedding|\brag\b|search|grounded|検索|检索|검색", "retrieval"),
    (r"classif|detect|moderat", "classification"),
    (r"chat|dialog|convers|対話|对话|대화", "conversation"),
    (r"summar|generat|writing|生成|생성|résum|zusammenfass|resum", "text-generation"),
)
"""Words of a capability and the domain that they name, most telling first."""
