"""The container images and containers that the campaign made, and their removal."""

from pathlib import Path

from bskernel.images import find_recipes
from bskernel.images.engine import connect


def remove_containers(folder: Path) -> list[str]:
    """Remove the containers that have a mount below a folder; returns what they were."""
    client = connect()
    left = []
    for container in client.containers(all=True):
        if any(mount.get("Source", "").startswith(f"{folder}/") for mount in container["Mounts"]):
            left.append(f"{container['Id'][:12]} {container['State']}")
            client.remove_container(container["Id"], force=True)
    client.close()
    return left


def remove_images(root: Path) -> None:
    """Remove the images of the chaos executor and of its environment."""
    (recipe,) = find_recipes(root)
    client = connect()
    labels = ({"bskernel.executor": "chaos"}, {"bskernel.environment": recipe.environment_digest})
    for wanted in labels:  # the executor's rests on the environment's
        for image in client.images():
            has = image["Labels"] or {}
            if all(has.get(name, "").startswith(value) for name, value in wanted.items()):
                client.remove_image(image["Id"], force=True)
    client.close()
