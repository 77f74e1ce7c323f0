"""Which packages of a lock advisories speak of, each fault once."""

from typing import Any

from kernels.reviewing.advisories import Affected, Event, parse_advisory
from kernels.reviewing.advisory_files import Advisories, Release
from kernels.reviewing.exposure import plan_exposures, plan_wanted
from kernels.reviewing.review import Finding, Severity
from tests.kernels.pretend import conda, lock, wheel


def known(*records: dict[str, Any], **keys: Any) -> Advisories:
    found = [advisory for record in records if (advisory := parse_advisory(record))]
    return Advisories(advisories=found, **keys)


def record(identity: str, name: str, *, ecosystem: str = "PyPI", **keys: Any) -> dict[str, Any]:
    events = [{"introduced": "0"}, {"fixed": keys.pop("fixed", "2.0")}]
    return {
        "id": identity,
        "affected": [
            {
                "package": {"ecosystem": ecosystem, "name": name},
                "ranges": [{"type": "ECOSYSTEM", "events": events}],
            }
        ],
    } | keys


def test_a_vulnerable_wheel_says_how_bad_it_is_and_what_fixes_it() -> None:
    advisory = record(
        "PYSEC-1", "Report", summary="Runs anything", database_specific={"severity": "HIGH"}
    )
    assert plan_exposures(lock(wheel("report", "1.0")), known(advisory)) == (
        Finding(
            Severity.ERROR,
            "vulnerable",
            "report 1.0",
            "PYSEC-1: Runs anything (high); fixed in 2.0.",
        ),
    )
    assert plan_exposures(lock(wheel("report", "2.0")), known(advisory)) == ()
    assert plan_exposures(lock(wheel("table", "1.0")), known(advisory)) == ()


def test_a_conda_package_is_found_under_its_pypi_name() -> None:
    torch = conda("pytorch", "1.9", depends=("python",))
    (finding,) = plan_exposures(lock(torch), known(record("PYSEC-1", "torch")))
    assert finding.package == "pytorch 1.9"


def test_a_library_that_is_not_pythons_is_found_by_condas_advisories_alone() -> None:
    made = lock(conda("zstd", "1.5"))
    assert plan_exposures(made, known(record("PYSEC-1", "zstd"))) == ()
    (finding,) = plan_exposures(made, known(record("OUR-1", "zstd", ecosystem="conda")))
    assert finding.text == ("OUR-1 (of unknown severity); fixed in 2.0.")


def test_what_several_databases_say_of_one_fault_is_one_finding() -> None:
    (finding,) = plan_exposures(
        lock(wheel("report")),
        known(
            record("PYSEC-1", "report", aliases=["CVE-2024-1"]),
            record("GHSA-x", "report", aliases=["PYSEC-2"], summary="Bad"),
            record(
                "PYSEC-2",
                "report",
                aliases=["CVE-2024-1"],
                fixed="1.5",
                database_specific={"severity": "LOW"},
            ),
        ),
    )
    assert finding.text == "CVE-2024-1 (GHSA-x, PYSEC-1, PYSEC-2): Bad (low); fixed in 1.5, 2.0."


def test_two_faults_are_two_findings() -> None:
    advisories = known(record("PYSEC-1", "report"), record("PYSEC-2", "report"))
    assert len(plan_exposures(lock(wheel("report")), advisories)) == 2


def test_what_nobody_can_tell_is_a_warning() -> None:
    advisory = record("PYSEC-1", "report", fixed="r17")
    (finding,) = plan_exposures(lock(wheel("report")), known(advisory))
    assert (finding.severity, finding.rule) == (Severity.WARNING, "unclear")
    assert "look for yourself" in finding.text


def test_a_fault_without_a_fix_says_so() -> None:
    advisory = record("MAL-1", "report", fixed="0")
    advisory["affected"][0]["ranges"][0]["events"].pop()
    (finding,) = plan_exposures(lock(wheel("report")), known(advisory))
    assert finding.text == "MAL-1 (of unknown severity); no version without it is known."


def test_a_yanked_file_or_release_is_an_error_and_a_warning_for_condas_own_build() -> None:
    made = wheel("report", sha256="f" * 64)
    by_file = known(files={"f" * 64: "broken"})
    (finding,) = plan_exposures(lock(made), by_file)
    assert (finding.severity, finding.rule, finding.package) == ("error", "yanked", "report 1.0")
    assert "(broken)" in finding.text
    by_release = known(releases={("report", "1.0.0"): Release("report", "1.0.0", "")})
    (finding,) = plan_exposures(lock(wheel("report", "1.0")), by_release)
    assert "(they gave no reason)" in finding.text
    (finding,) = plan_exposures(lock(conda("report", channel="site")), by_release)
    assert finding.severity is Severity.ERROR
    (finding,) = plan_exposures(lock(conda("report", depends=("python",))), by_release)
    assert finding.severity is Severity.WARNING
    assert plan_exposures(lock(wheel("report", "1.1")), by_release) == ()


def test_only_what_a_lock_may_have_is_wanted() -> None:
    is_wanted = plan_wanted(
        [
            lock(wheel("report"), conda("pytorch", depends=("python",))),
            lock(conda("jupyter_core", channel="site")),
        ]
    )
    pypi = {name: is_wanted(Affected("pypi", name)) for name in ("report", "torch", "left")}
    assert pypi == {"report": True, "torch": True, "left": False}
    assert is_wanted(Affected("pypi", "jupyter-core", ranges=((Event("introduced", "0"),),)))
    assert is_wanted(Affected("conda", "pytorch"))
    assert not is_wanted(Affected("conda", "report"))
