"""The folders of recipes that a project names: looked at as data, and used once its user trusts it."""

from __future__ import annotations

from pathlib import Path

from bskernel_protocol import canonical_bytes, digest_of_bytes

from bskernel.flow.loaded_config import LoadedConfig
from bskernel.images import NamedFolder
from bskernel.images.recipe_path import recipes_in
from bskernel.store.file_digests import FileDigests
from bskernel.workspace.trust import Trust
from bskernel.workspace.trust_request import TrustRequest


def project_folders(loaded: LoadedConfig, root: Path, files: FileDigests, trust: Trust) -> tuple[NamedFolder, ...]:
    """The folders of [recipes] path, absolute. Raises NotTrusted, ConfigError."""
    origin = f"{loaded.path}: recipes.path"
    folders = tuple(
        NamedFolder(path=(loaded.folder / Path(text).expanduser()).absolute(), origin=origin)
        for text in loaded.config.recipes.path
    )
    if folders and not loaded.is_given("recipes", "path"):
        texts = zip(loaded.config.recipes.path, folders, strict=True)
        trust.require(loaded.path, [_request(text, folder, root, files) for text, folder in texts])
    return folders


def _request(text: str, folder: NamedFolder, root: Path, files: FileDigests) -> TrustRequest:
    digests = [[recipe.name, recipe.digest] for recipe in recipes_in(folder, root, files)]
    return TrustRequest(
        kind="recipes",
        key="recipes.path",
        value=text,
        target=str(folder.path.resolve()),
        digest=digest_of_bytes(canonical_bytes(digests)).sha256,
    )
