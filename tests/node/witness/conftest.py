"""How quickly nodes witness each other's logs in tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from comity.node.server.background import log_witnessing


@pytest.fixture
def quick_witnessing() -> Iterator[None]:
    """Let nodes look at each other's logs many times a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_witnessing, "INTERVAL_SECONDS", 0.1)
        patch.setattr(log_witnessing, "RETRY_SECONDS", 0.1)
        patch.setattr(log_witnessing, "SILENT_SECONDS", 0.1)
        patch.setattr(log_witnessing, "GATHER_SECONDS", 0.02)
        yield
