"""The words of tables of scores: metrics, benchmarks, models. Data only."""

from __future__ import annotations

from typing import Final

from comity.client.importing.heading_words import any_of

METRICS: Final = any_of(
    r"accurac|precision|recall|\bf1\b|f1-?score|f-?score|\bmcc\b|exact[ _-]?match|\bem\b|\bwer\b",
    r"\bcer\b|bleu|rouge|\bauc|auroc|auprc|\btpr\b|\bfpr\b|(true|false) (positive|negative)",
    r"pass@|perplexity|\bppl\b|\bmap\b|ndcg|mrr|\bfid\b|\bacc(_norm)?\b|\bmae\b|rmse|\bbp[bc]\b",
    r"\bloss\b|win ?rate|\bapr\b|recall ?@|pearson|spearman|\bmse\b",
    r"exactitude|précision|rappel|genauigkeit|exactitud|precisión|puntuación|正解率|精度|准确率|정확도",
)

PROPORTIONS: Final = any_of(
    r"accurac|precision|recall|\bf1\b|f-?score|exact[ _-]?match|\bem\b|\bauc|auroc|auprc|\btpr\b",
    r"\bfpr\b|(true|false) (positive|negative)|pass@|\bacc(_norm)?\b|win ?rate|\bwer\b",
    r"\bcer\b|apr\b",
    r"mmlu|gsm-?8k|\bmath\b|humaneval|mbpp|hella ?swag|wino ?grande|\barc\b|arc[-_ ]|boolq|piqa",
    r"siqa|openbookqa|truthful ?qa|\bbbh\b|big-?bench|agi ?eval|gpqa|c-eval|cmmlu|lambada|drop\b",
    r"triviaqa|natural ?questions|squad|commonsense ?qa|race\b|ifeval|mgsm|bfcl|musr|\bdocvqa",
    r"chartqa|textvqa|mmmu|livecodebench|swe-?bench|exactitude|genauigkeit|正解率|准确率|정확도",
)
"""Metrics and benchmarks that are shares of a whole: 0 to 1, or 0 to 100 in percent."""

VALUES: Final = any_of(
    r"\bscores?\b|\bvalues?\b|\bresults?\b|résultat|ergebnis|resultado|スコア|得分|점수"
)
"""Headings of columns of numbers whose row names the benchmark or the metric."""

NOT_SCORES: Final = any_of(
    r"quantization|vram|context (window|length)|parameters?\b|params|file ?size|download",
    r"gpu|emission",
    r"carbon|tco2|power|speed|tokens?/s|latency|hyperparameter|learning rate|batch size",
    r"epoch|memory",
    r"time \(|memor|layers|vocabular|sequence length|iteration|argument|default",
    r"description|license",
    r"release date|dimension|^support$|threshold|flops|\bsize\b|tokens$|heads|d_model",
    r"hidden|embedding|\bbias|norm$|显存|内存|メモリ",
)
"""Headings of columns whose numbers are no scores."""

MODEL_FAMILIES: Final = any_of(
    r"gpt|llama|claude|gemini|gemma|mi[sx]tral|qwen|falcon|bert\b|bloom|pythia|\bopt\b|palm",
    r"deepseek",
    r"\bphi\b|\bphi-|vicuna|alpaca|command|yi-|internvl|minicpm|baichuan|chatglm|internlm",
    r"mpt-|dolly",
    r"wizard|starcoder|codegen|stable ?diffusion|dall|whisper|clip\b|\bt5\b|\bapi\b|\bours\b",
)
"""Names that mark a row or a column of a table as another model's."""
