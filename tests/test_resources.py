"""Schemas and tables are found in a checkout and in an installed wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from streams import resources

ROOT = Path(__file__).parents[1]
READ = "from streams import resources as r; print(r.schemas_dir()); print(len(r.yaml_data('topics.yaml')['topics']))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    # Built from a copy: setuptools leaves folders behind where it builds.
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in ("streams", "schemas"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(out)]
    built = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    (path,) = out.iterdir()
    return path


def test_a_checkout_has_its_schemas_beside_the_package():
    assert ROOT / "schemas" == resources.schemas_dir()
    assert "liquidations" in resources.yaml_data("topics.yaml")["topics"]


def test_what_a_caller_does_to_a_table_stays_with_the_caller():
    resources.yaml_data("topics.yaml").clear()

    assert resources.yaml_data("topics.yaml")


def test_a_schema_that_does_not_exist_is_an_error():
    with pytest.raises(FileNotFoundError):
        resources.schema_text("absent.avsc")


def test_an_installed_wheel_brings_its_schemas(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path)

    # PYTHONPATH is looked at before what the virtual environment has of this checkout.
    command = [sys.executable, "-c", READ]
    told = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=True
    )

    assert [str(tmp_path / "streams" / "schemas"), str(len(resources.yaml_data("topics.yaml")["topics"]))] == (
        told.stdout.split()
    )


def test_the_wheel_has_every_schema_and_table_and_no_tests(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"streams/schemas/{path.name}" for path in (ROOT / "schemas").iterdir() if path.suffix in {".avsc", ".yaml"}
    }

    assert set() == wanted - inside
    assert [] == [name for name in inside if name.startswith(("tests", "schemas"))]


def test_every_package_is_listed_in_pyproject():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.parent for path in (ROOT / "streams").rglob("*.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}

    assert {*found, "streams.schemas"} == set(listed)
