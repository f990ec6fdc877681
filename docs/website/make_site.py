"""Make the documentation site: ``nox -s docs``, or ``python docs/website/make_site.py [FOLDER]``.

Pages are laid out as in the checkout, so that a link works in both, with the generated reference beside them. A dead
link, a missing anchor, a page that no group of index.md has: all of these fail. Nothing is fetched, neither here nor
by a page when it is opened.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
sys.path.append(str(CHECKOUT / "benchmarks"))  # structure.py, which the picture of the rooms is made from

from emwheels.author.schema import recipe_schema  # noqa: E402
from reference_pages import pages  # noqa: E402

SCHEMA = "reference/meta.schema.json"
"""Where editors find the schema of meta.yaml."""
PAGES = (
    *("*.md", "docs/*.md", "docs/*.jpg", "ci/*.md", "ci/image/*.md"),
    *("demo/*.md", "demo/nginx.conf", "demo/onnxruntime/*.md"),
)


def stage(folder: Path) -> None:
    """Lay out what Sphinx reads."""
    for pattern in PAGES:
        for page in CHECKOUT.glob(pattern):
            place = folder / page.relative_to(CHECKOUT)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, place)
    shutil.copyfile(HERE / "index.md", folder / "index.md")
    for name, text in pages().items():
        place = folder / "reference" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")


def main() -> int:
    """Make the site and return the exit status: that of Sphinx."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=CHECKOUT / "site", help="where it goes (site/)")
    folder: Path = parser.parse_args().folder
    if folder.exists() and not (folder / "searchindex.js").is_file():
        parser.error(f"{folder} is there and is no documentation site: name another folder, or remove it")
    with tempfile.TemporaryDirectory(prefix="emwheels-docs-") as work:
        staged, made = Path(work, "pages"), Path(work, "site")
        staged.mkdir()
        stage(staged)
        sphinx = [sys.executable, "-m", "sphinx", "--builder", "html", "--fail-on-warning", "--keep-going", "--quiet"]
        status = subprocess.call([*sphinx, "-c", HERE, "-d", Path(work, "doctrees"), staged, made], cwd=staged)
        if status:
            print("the site was not made: each line above names a page and its fault", file=sys.stderr)
            return status
        (made / SCHEMA).write_text(json.dumps(recipe_schema(), indent=1) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        shutil.move(made, folder)
    print(f"open {folder / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
