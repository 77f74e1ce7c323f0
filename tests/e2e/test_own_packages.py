"""`%pip install` in a notebook goes to the person and the version alone, and can be proposed."""

import io
import zipfile

import pytest

from tests.e2e.conftest import Started

pytestmark = pytest.mark.e2e

INFO = "own_table-1.0.dist-info"
WHEEL = {
    "own_table.py": "ROWS = 3\n",
    f"{INFO}/METADATA": "Metadata-Version: 2.1\nName: own-table\nVersion: 1.0\n",
    f"{INFO}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    f"{INFO}/RECORD": f"own_table.py,,\n{INFO}/METADATA,,\n{INFO}/WHEEL,,\n{INFO}/RECORD,,\n",
}


def wheel() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in WHEEL.items():
            archive.writestr(name, text)
    return data.getvalue()


def test_a_person_installs_a_package_uses_it_at_once_and_proposes_it(started: Started) -> None:
    client = started("alder-bank")
    kernel = client.start_kernel("alder-bank.credit-risk")
    file = "own_table-1.0-py3-none-any.whl"
    kernel.run(f"open({file!r}, 'wb').write(bytes.fromhex('{wheel().hex()}'))")

    said = kernel.run(f"%pip install --no-index --no-deps ./{file}").text
    assert "Successfully installed own-table-1.0" in said
    assert "goes to a folder of your own and is seen by your alder-bank_credit-risk_v1" in said
    assert kernel.run("import own_table; print(own_table.ROWS)").text == "3\n"

    other = client.start_kernel("alder-bank.language-tokens")
    assert other.run("import importlib.util as u; print(u.find_spec('own_table'))").text == "None\n"

    colleague = started("alder-bank/credit-risk")
    same = colleague.start_kernel("alder-bank.credit-risk")
    assert same.run("import importlib.util as u; print(u.find_spec('own_table'))").text == "None\n"
    assert "own-table" not in colleague.terminal("perijove overlay")

    use = "python -c 'import own_table; print(own_table.ROWS)'"
    assert client.terminal(f"perijove shell alder-bank/credit-risk {use}").strip() == "3"
    listed = client.terminal("perijove overlay")
    assert "alder-bank/credit-risk  v1       own-table  1.0" in listed
    change = kernel.run("!perijove propose alder-bank/credit-risk").text
    assert "+      - own-table==1.0" in change
    assert "credit-models@alder-bank.example" in change
    assert "1 packages removed" in client.terminal("perijove overlay --clear")
