"""Import of the model cards that institutes and developers already have, into drafts.

``import_card`` reads Hugging Face READMEs and plain Markdown. What it makes is a proposal: a draft
that an analyst reads, corrects and signs, with the source's own words beside each statement.
"""

from comity.client.importing.card_draft import Imported, import_bytes, import_card

__all__ = ["Imported", "import_bytes", "import_card"]
