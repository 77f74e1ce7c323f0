"""What a doctor says of the files with secrets."""

from pathlib import Path

import pytest

from operating.secrets import check_secrets

Files = dict[str, Path]


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> Files:
    files = {name: tmp_path / name for name in (".env", "certificate.pem", "key.pem")}
    for file in files.values():
        file.write_text("A=1\nPERIJOVE_ADMIN_PASSWORD=\n")
        file.chmod(0o600)
    files["certificate.pem"].chmod(0o644)
    return files


def test_files_for_their_owner_alone(files: Files) -> None:
    found = check_secrets(files)
    assert (found.ok, found.text) == (True, "only their owner may read .env, key.pem")


def test_a_group_may_read_the_key_as_those_who_renew_it_do(files: Files) -> None:
    files["key.pem"].chmod(0o640)
    assert check_secrets(files).ok


@pytest.mark.parametrize(("name", "mode"), [(".env", 0o640), (".env", 0o604), ("key.pem", 0o644)])
def test_files_that_others_may_read(files: Files, name: str, mode: int) -> None:
    files[name].chmod(mode)
    found = check_secrets(files)
    assert (found.ok, found.text) == (False, f"others may read {name}; run 'chmod 600' on it")


def test_a_directory_that_docker_made(files: Files) -> None:
    files[".env"].unlink()
    files[".env"].mkdir()
    found = check_secrets(files)
    assert (found.ok, found.text) == (False, ".env is not a file; run 'make secrets'")


@pytest.mark.parametrize("line", ["PERIJOVE_ADMIN_PASSWORD=x", 'PERIJOVE_ADMIN_PASSWORD = "x"'])
def test_a_first_password_that_is_still_there_is_worth_a_note(files: Files, line: str) -> None:
    files[".env"].write_text(f"# comment\n{line}\n")
    found = check_secrets(files)
    assert found.ok is None
    assert "empty PERIJOVE_ADMIN_PASSWORD" in found.text


@pytest.mark.parametrize(
    "line", ["PERIJOVE_ADMIN_PASSWORD=''", "#PERIJOVE_ADMIN_PASSWORD=x", "", "X=1"]
)
def test_a_first_password_that_was_emptied(files: Files, line: str) -> None:
    files[".env"].write_text(f"{line}\nOTHER=1\n")
    assert check_secrets(files).ok


def test_accounts_are_made_at_the_first_start(tmp_path: Path) -> None:
    accounts = tmp_path / "accounts.json"
    assert check_secrets({"accounts.json": accounts}).ok
    accounts.write_text("{}")
    accounts.chmod(0o644)
    assert check_secrets({"accounts.json": accounts}).ok is False
