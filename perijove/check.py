"""`perijove check`: what is wrong with projects and their locks, for CI. It writes nothing."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from kernels.channels import Channels
from kernels.environment_yml import load_requirements
from kernels.errors import KernelsError
from kernels.locking.lock import Lock
from kernels.projects import Project
from kernels.reviewing.advisory_files import load_advisories
from kernels.reviewing.exposure import plan_exposures, plan_wanted
from kernels.reviewing.review import (
    Finding,
    Severity,
    load_any_lock,
    load_named_channels,
    plan_review,
)
from kernels.store import Store
from perijove.console import complain, print_json, print_line, print_table
from perijove.context import Installation, exit_code


@click.command(
    short_help="Look for what is wrong with locks, for CI.",
    help="Look for what is wrong with projects and their locks; exit code 1 if there is an error.",
)
@click.argument("projects", nargs=-1, metavar="[CLIENT/PROJECT]...")
@click.option(
    "--lock",
    "lock_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A lock that is kept elsewhere, of one project.",
)
@click.option(
    "--advisories",
    type=click.Path(path_type=Path, exists=True),
    multiple=True,
    help="A file or directory of advisories, in the OSV format; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="For a script.")
@click.pass_obj
def command(
    installation: Installation,
    projects: tuple[str, ...],
    lock_file: Path | None,
    advisories: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Checks the projects named, or all."""
    if lock_file and len(projects) != 1:
        raise click.UsageError("--lock is for one project: name it.")
    chosen, problems = installation.chosen(projects)
    store = Store(installation.home / "store")  # read as it is: CI need not have one
    channels = installation.channels()
    locks: dict[str, Lock] = {}
    findings: dict[str, list[Finding]] = {}
    for project in chosen:
        try:
            lock = load_any_lock(lock_file or store.lock_file(project))
            findings[project.slug] = _review(project, lock, channels)
        except KernelsError as error:
            problems.append(error)
            continue
        if lock:
            locks[project.slug] = lock
    known = load_advisories(advisories, plan_wanted(locks.values()))
    problems += known.problems
    for slug, lock in locks.items():
        findings[slug] += plan_exposures(lock, known)
    _show(findings, as_json=as_json)
    sys.exit(_exit_code(findings, problems))


def _review(project: Project, lock: Lock | None, channels: Channels) -> list[Finding]:
    requirements = load_requirements(project.environment_yml)
    named = load_named_channels(project.environment_yml)
    return list(plan_review(project, requirements, named, lock, channels))


def _show(findings: dict[str, list[Finding]], *, as_json: bool) -> None:
    rows = [
        (slug, finding)
        for slug, found in sorted(findings.items())
        for finding in sorted(
            found, key=lambda one: (one.severity, one.rule, one.package or "", one.text)
        )
    ]
    if as_json:
        print_json(
            [
                {
                    "project": slug,
                    "severity": finding.severity,
                    "rule": finding.rule,
                    "package": finding.package,
                    "text": finding.text,
                }
                for slug, finding in rows
            ]
        )
    elif rows:
        print_table(
            ("PROJECT", "SEVERITY", "RULE", "PACKAGE", "WHAT"),
            [
                (slug, finding.severity, finding.rule, finding.package or "-", finding.text)
                for slug, finding in rows
            ],
        )
    elif findings:
        print_line(f"{', '.join(sorted(findings))}: nothing found.")


def _exit_code(findings: dict[str, list[Finding]], problems: Sequence[KernelsError]) -> int:
    """1 with an error among the findings, whatever could not be read; else as all verbs."""
    code = exit_code(len(findings), problems)
    errors = sum(one.severity is Severity.ERROR for found in findings.values() for one in found)
    if errors:
        projects = sum(
            any(one.severity is Severity.ERROR for one in found) for found in findings.values()
        )
        noun = "error" if errors == 1 else "errors"
        complain(f"{errors} {noun}, in {projects} of {len(findings)} projects; see above.")
        return 1
    return code
