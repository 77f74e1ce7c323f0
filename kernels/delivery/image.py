"""One environment and its examples as an image: on a base, in two layers of their own.

The file is an OCI layout and what `docker save` writes in one. The environment stands where
workspaces see it, so the kernels' names and files are those of the platform. The layers depend on
the version alone: the same lock gives the same digests, on every base. It opens a plain JupyterLab,
and any Jupyter program in it finds the kernel by JUPYTER_PATH.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from kernels import names
from kernels.delivery.base import LAYER, Base, open_base
from kernels.delivery.image_config import plan_config
from kernels.delivery.members import Members
from kernels.delivery.output import new_output
from kernels.delivery.sbom import make_sbom
from kernels.delivery.tarball import Owner, Summed, Tarball, parents
from kernels.delivery.tree import Entry, load_tree
from kernels.delivery.version import Version, example_entries, holding
from kernels.errors import BuildError
from kernels.locking.lock import Report
from kernels.publishing.logo import draw_logo
from kernels.publishing.publish import plan_kernel
from kernels.store import MOUNT, Store

_OCI = "application/vnd.oci.image"
_PERSON = Owner(1000, 1000)
_BELOW = str(MOUNT).lstrip("/")


@dataclass(frozen=True)
class Image:
    """An image that was written.

    Attributes:
        file: where.
        name: what it is called when it is loaded.
        digest: of its configuration; engines call it the image's id.
        layers: digests of the two layers of its own: the environment, and kernels with examples.
        size: of the file, in bytes.
    """

    file: Path
    name: str
    digest: str
    layers: tuple[str, str]
    size: int


@dataclass(frozen=True)
class _Blob:
    media_type: str
    sha256: str
    size: int

    @property
    def member(self) -> str:
        return _member(self.sha256)

    def told(self) -> dict[str, Any]:
        return {
            "mediaType": self.media_type,
            "digest": f"sha256:{self.sha256}",
            "size": self.size,
        }


def make_image(version: Version, store: Store, base: Path, to: Path, report: Report) -> Image:
    """Writes the image of a version, on the image in the file `base`, to the file `to`.

    Raises:
        BuildError: the environment is damaged, or `base` is no image that it can stand on.
        ProjectError: an example is a link that leaves the project.
        StoreError: the file cannot be written.
    """
    machine = version.lock.platform.machine
    with (
        open_base(base, machine) as found,
        holding(version.environment),
        new_output(to) as output,
    ):
        report("reading the environment")
        tree = load_tree(version.environment, version.lock, store, output.scratch)
        members = Members(output.file)
        report("writing its layer")
        top = f"{_BELOW}/{version.environment.path.parent.relative_to(store.root)}"
        prefix = f"{top}/{version.environment.path.name}"
        environment = [
            *parents(prefix, "opt"),
            *(Entry(f"{prefix}/{one.name}", one.content, one.executable) for one in tree.entries),
        ]
        own = [
            _write_layer(members, [(environment, Owner(writes=False))]),
            _write_layer(members, _extra(version, store, tree.home)),
        ]
        report("copying the base image")
        layers = [*_copy_layers(members, found, base), *own]
        report("finishing")
        config = plan_config(found.config, version, tree.home, [one.sha256 for one in own])
        name = f"{version.project.slug}:v{version.environment.version}"
        digest = _write_manifests(members, config, layers, name)
        members.finish()
        size = output.file.tell()
    return Image(to, name, digest, (own[0].sha256, own[1].sha256), size)


def _write_layer(members: Members, parts: Iterable[tuple[Sequence[Entry], Owner]]) -> _Blob:
    with members.member(_member) as summed:
        tar = Tarball(cast("IO[bytes]", summed), Owner())
        for entries, owner in parts:
            tar.add(entries, owner=owner)
        tar.finish()
    return _Blob(LAYER, summed.sha256, summed.size)


def _extra(version: Version, store: Store, home: str) -> Iterator[tuple[Sequence[Entry], Owner]]:
    """The kernels, as published, the examples, and a home that has them too, to work in."""
    project, environment = version.project, version.environment
    top = f"{_BELOW}/{project.slug}"
    kernels = []
    for pinned in (False, True):
        name = names.kernel_name(
            project.client, project.name, environment.version if pinned else None
        )
        spec = json.dumps(
            plan_kernel(project, environment, version.lock, store, pinned=pinned),
            indent=2,
            ensure_ascii=False,
        ).replace(str(store.target(environment.path)), home)
        below = f"{top}/kernels/{name}"
        kernels += [
            Entry(below, None),
            Entry(f"{below}/kernel.json", f"{spec}\n".encode()),
            Entry(f"{below}/logo-svg.svg", draw_logo(project).encode()),
        ]
    examples = example_entries(project)
    read_only = [
        *parents(f"{top}/kernels", "opt"),
        *kernels,
        Entry(f"{top}/sbom.cdx.json", make_sbom(version).encode()),
        Entry(f"{top}/examples", None),
        *(Entry(f"{top}/examples/{one.name}", one.content) for one in examples),
    ]
    yield read_only, Owner(writes=False)
    own = [Entry("home", None), Entry("home/examples", None)]
    yield [*own, *(Entry(f"home/examples/{one.name}", one.content) for one in examples)], _PERSON


def _copy_layers(members: Members, base: Base, file: Path) -> Iterator[_Blob]:
    for layer in base.layers:
        with base.open(layer) as source:
            summed: Summed = members.add(_member, source)
        if layer.sha256 not in {None, summed.sha256}:
            raise BuildError(
                f"{file}: the layer {layer.sha256} is damaged; save the base image again."
            )
        yield _Blob(layer.media_type, summed.sha256, summed.size)


def _write_manifests(
    members: Members, config: Mapping[str, Any], layers: Sequence[_Blob], name: str
) -> str:
    """Writes what says how blobs make an image, in both forms; the configuration's digest."""
    configured = _add_json(members, config, f"{_OCI}.config.v1+json")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.manifest.v1+json",
        "config": configured.told(),
        "layers": [one.told() for one in layers],
    }
    described = _add_json(members, manifest, f"{_OCI}.manifest.v1+json")
    annotations = {
        "io.containerd.image.name": f"docker.io/{name}",
        "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1],
    }
    platform = {"os": "linux", "architecture": config["architecture"]}
    index = {
        "schemaVersion": 2,
        "mediaType": f"{_OCI}.index.v1+json",
        "manifests": [described.told() | {"platform": platform, "annotations": annotations}],
    }
    saved = {
        "Config": configured.member,
        "RepoTags": [name],
        "Layers": [one.member for one in layers],
    }
    members.add("index.json", _json(index))
    members.add("manifest.json", _json([saved]))
    members.add("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
    return configured.sha256


def _add_json(members: Members, value: object, media_type: str) -> _Blob:
    summed = members.add(_member, _json(value))
    return _Blob(media_type, summed.sha256, summed.size)


def _member(sha256: str) -> str:
    return f"blobs/sha256/{sha256}"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
