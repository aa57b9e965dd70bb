"""One stack for all faults that can be mended."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.diagnosis import models as fakes
from tests.diagnosis.patient import Patient, admitted


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """Real servers and ears; mind and voice are the test's. Healthy at the beginning."""
    with fakes.serving() as models, admitted(tmp_path_factory.mktemp("patient"), models) as patient:
        yield patient


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of one megabyte; needs root."""
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "tmpfs", folder]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount a small file system: needs root")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)
