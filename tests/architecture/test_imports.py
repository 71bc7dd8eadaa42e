"""Who may import whom: the contracts of pyproject.toml."""

import pytest
from importlinter.cli import lint_imports
from tests.architecture.source import ROOT


def test_every_import_keeps_the_contracts(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out
