import pytest

from tests import tiny


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """Records of six S with masks and originals."""
    return tiny.write_records(tmp_path_factory.mktemp("records") / "sources", tiny.manipulated())


@pytest.fixture(scope="session")
def targets(tmp_path_factory):
    """Records of six T."""
    return tiny.write_records(tmp_path_factory.mktemp("records") / "targets", tiny.authentic())
