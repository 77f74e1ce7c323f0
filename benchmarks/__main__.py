"""`make bench`: takes every figure and writes docs/performance.md with its chart."""

import os
import platform
import sys
from pathlib import Path

from benchmarks.chart import draw_chart, show_times
from benchmarks.figures import Figure, measure_all
from benchmarks.scene import ROUNDS, make_scene, timed
from benchmarks.with_conda import find_conda

_CHECKOUT = Path(__file__).resolve().parents[1]
_PAGE = _CHECKOUT / "docs/performance.md"
_CHART = _CHECKOUT / "docs/images/performance.svg"
_TEMPLATE = Path(__file__).with_name("page.md.template")
_NO_CONDA = (
    "conda and nb_conda_kernels were not on the machine (`CONDA_EXE` names a conda) and were left "
    "out."
)


def main() -> None:
    """Takes the figures in the directory named on the command line, or in .bench."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else _CHECKOUT / ".bench").absolute()
    _say("Making ready: fetching packages (the first time takes a minute)")
    scene = make_scene(root)
    figures, paces = [], [timed(_add_a_million)]
    for figure in measure_all(scene):
        _say(_line(figure))
        figures.append(figure)
        paces.append(timed(_add_a_million))
    _CHART.write_text(draw_chart(figures))
    _PAGE.write_text(_page(figures, paces))
    _say(f"Written: {_PAGE.relative_to(_CHECKOUT)}, {_CHART.relative_to(_CHECKOUT)}")


def _add_a_million() -> None:
    """Tells how quick the machine is at this moment."""
    total = 0
    for number in range(1_000_000):
        total += number


def _line(figure: Figure) -> str:
    values = ", ".join(f"{name} {_show(value)}" for name, value in figure.values.items())
    return f"{figure.title}: {values} {figure.unit}"


def _show(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _page(figures: list[Figure], paces: list[float]) -> str:
    conda = find_conda()
    return _TEMPLATE.read_text().format(
        rounds=ROUNDS,
        cores=os.cpu_count(),
        python=platform.python_version(),
        conda=f"{conda.version} stands for conda." if conda else _NO_CONDA,
        fastest=_show(min(paces) * 1000),
        slowest=_show(max(paces) * 1000),
        rows="\n".join(_row(figure) for figure in figures),
    )


def _row(figure: Figure) -> str:
    others = list(figure.values.items())[1:]
    told = ", ".join(
        f"{name} {_show(value)} {figure.unit} ({show_times(value / figure.ours)})"
        for name, value in others
    )
    return (
        f"| {figure.title} | **{_show(figure.ours)} {figure.unit}** | {told or '-'} | "
        f"{_target(figure)} |"
    )


def _target(figure: Figure) -> str:
    if figure.target is None:
        return "-"
    what = (
        f"{figure.target} times {figure.against}"
        if figure.against
        else (f"{figure.target:g} {figure.unit}")
    )
    return f"under {what}: {'met' if figure.is_met else '**missed**'}"


def _say(message: str) -> None:
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
