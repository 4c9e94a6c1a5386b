"""The version of the installed software."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("comity")
