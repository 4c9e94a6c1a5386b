"""The words and the look of page.html, with gaps that ``record_page`` fills.

Invariant: no gap stands inside a tag's name, a style or an address; ``Markup`` escapes what is
filled in.
"""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

STYLE: Final = Markup("""
body { font: 1rem/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
p, pre { white-space: pre-wrap; overflow-wrap: anywhere; }
pre { background: #f4f4f4; padding: 0.75rem; font-size: 0.9rem; }
dl { display: grid; grid-template-columns: 8rem 1fr; gap: 0.25rem 1rem; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
aside { border-left: 0.3rem solid #888; padding: 0 1rem; }
aside.withdrawn { border-color: #b00020; color: #b00020; }
""")
"""The style sheet; its hash stands in the page's content security policy (CSP Level 3)."""

PAGE: Final = Markup("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<aside><p>This page only shows a record. Whether the record is genuine is told by
<code>comity verify</code>, given the folder or zip of this page, and by the commands in \
CHECK.md.</p></aside>
{withdrawn}<h1 dir="auto">{title}</h1>
{titles}<h2>Summary</h2>
{summaries}<h2>Header</h2>
<dl>
{facts}</dl>
{sections}</body>
</html>
""")

WITHDRAWN: Final = Markup("""\
<aside class="withdrawn"><h2>Withdrawn</h2>
<p>{issuer} withdrew this record at {time}, by notice {notice}.</p>
{words}</aside>
""")

FACT: Final = Markup("<dt>{label}</dt><dd>{value}</dd>\n")

WORDS: Final = Markup('<p lang="{language}" dir="auto">{text}</p>\n')

SECTION: Final = Markup("""\
<section><h2>Section: {name}</h2>
<p>{status}; {handling}</p>
{content}</section>
""")

BLOCK: Final = Markup('<pre dir="auto">{text}</pre>\n')
