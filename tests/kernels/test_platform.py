"""A declared platform in the words of conda, wheels and uv."""

from kernels.platform import Platform


def test_wheel_tags_go_from_the_declared_c_library_down() -> None:
    tags = Platform(glibc="2.28").wheel_tags()
    assert tags[0] == "manylinux_2_28_x86_64"
    assert "manylinux_2_5_x86_64" in tags
    assert "manylinux_2_29_x86_64" not in tags
    assert tags[-4:] == [
        *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64", "linux_x86_64")
    ]


def test_arm_has_its_own_tags() -> None:
    arm = Platform(subdir="linux-aarch64", glibc="2.17")
    assert arm.machine == "aarch64"
    assert arm.wheel_tags() == ["manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"]


def test_uv_is_told_the_same() -> None:
    assert Platform(glibc="2.36").uv_name() == "x86_64-manylinux_2_36"
    assert Platform(subdir="linux-aarch64").uv_name() == "aarch64-manylinux_2_28"
