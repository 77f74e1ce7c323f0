"""The platform an environment is declared for: what its packages may rely on.

A lock is solved for a declared platform and never for the machine that happens to build it: a
builder with AVX-512 or a newer glibc must not choose packages that other machines cannot run.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Platform:
    """What the machines that run an environment have at least.

    Attributes:
        subdir: conda's name of operating system and processor.
        glibc: the oldest C library that workspaces run on.
        archspec: the processor's micro-architecture, in archspec's names.
        cuda: the newest CUDA that the driver supports, or None for environments without a GPU.
    """

    subdir: str = "linux-64"
    glibc: str = "2.28"
    archspec: str = "x86_64"
    cuda: str | None = None

    @property
    def machine(self) -> str:
        """The processor, as `uname` and wheels call it."""
        return {"linux-64": "x86_64", "linux-aarch64": "aarch64"}[self.subdir]

    def wheel_tags(self) -> list[str]:
        """The wheel platform tags that run here, newest C library first (PEP 600)."""
        machine = self.machine
        newest = int(self.glibc.split(".")[1])
        oldest = {"x86_64": 5, "aarch64": 17}[machine]
        legacy = {"x86_64": ("2014", "2010", "1"), "aarch64": ("2014",)}[machine]
        return [
            *(f"manylinux_2_{minor}_{machine}" for minor in range(newest, oldest - 1, -1)),
            *(f"manylinux{year}_{machine}" for year in legacy),
            f"linux_{machine}",
        ]

    def uv_name(self) -> str:
        """The same platform in `uv --python-platform` words."""
        return f"{self.machine}-manylinux_{self.glibc.replace('.', '_')}"
