"""A build of the testing executor that weighs each folder of a tree."""

Folders = dict[str, dict[str, str]]
WEIGHED = """
[build]
name = "b"
model = "number.txt"
[[step]]
name = "partition"
entry = "testing:act"
[step.parameters]
code = '''
from pathlib import Path
for name, files in {folders}.items():
    for file, text in files.items():
        path = out / "tree" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
'''
[[step]]
entry = "testing:weigh"
each = "numbers"
inputs = {{ numbers = "partition.tree" }}
[[step]]
entry = "testing:add-weights"
"""
THREE = {"a": {"x": "1", "y": "2"}, "b": {"x": "4"}, "c": {"x": "1", "y": "2"}}


def code_of(folders: Folders) -> str:
    """What the step `partition` does to make these folders."""
    return WEIGHED.format(folders=folders).split("'''")[1]
