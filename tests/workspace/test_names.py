from __future__ import annotations

import pytest

from workspace.names import Project, own_folder, pinned_name, project_of


@pytest.mark.parametrize(
    ("kernel", "project"),
    [
        ("acme.churn", Project("acme", "churn")),
        ("acme.churn.v12", Project("acme", "churn")),
        ("big-corp.price-model-2.v1", Project("big-corp", "price-model-2")),
        ("python3", None),
        ("acme.churn.v0", None),
        ("acme.churn.1", None),
        ("acme-.churn", None),
        ("../acme.churn", None),
        ("acme.churn.v1.v2", None),
    ],
)
def test_a_kernel_of_the_store_names_its_project(kernel: str, project: Project | None) -> None:
    assert project_of(kernel) == project


@pytest.mark.parametrize(
    ("old", "pinned"),
    [
        ("conda-env-acme_churn_v2-py", "acme.churn.v2"),
        ("conda-env-acme_churn_v2-python3", "acme.churn.v2"),
        ("conda-env-big-corp_price-model_v10-py", "big-corp.price-model.v10"),
        ("Conda-Env-acme_churn_v2-py", "acme.churn.v2"),
        ("conda-env-acme_churn_v2-r", None),
        ("conda-env-acme_churn-py", None),
        ("conda-env-my_own_env_v2-py", None),
        ("conda-base-py", None),
        ("acme.churn.v2", None),
        ("", None),
    ],
)
def test_a_name_of_nb_conda_kernels_means_the_pinned_kernel(old: str, pinned: str | None) -> None:
    assert pinned_name(old) == pinned


@pytest.mark.parametrize(
    ("folder", "own"),
    [
        ("examples/acme/churn", "work/acme/churn"),
        ("/examples/acme/churn/deep/", "work/acme/churn/deep"),
        ("examples", "work"),
        ("shared/notes", "work/shared/notes"),
        ("", "work"),
    ],
)
def test_work_on_examples_has_its_place_in_the_users_own_folder(folder: str, own: str) -> None:
    assert own_folder(folder) == own
