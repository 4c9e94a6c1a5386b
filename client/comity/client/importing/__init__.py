"""Import of what institutes and developers have already, such as model cards, into drafts.

``import_file`` asks each of ``IMPORTERS`` whether it recognises a file. What it makes is a
proposal: an analyst reads the draft, corrects and signs it, with the source's own words beside it.
"""

from comity.client.importing.importer import Imported, Importer
from comity.client.importing.importers import IMPORTERS, import_bytes, import_file

__all__ = ["IMPORTERS", "Imported", "Importer", "import_bytes", "import_file"]
