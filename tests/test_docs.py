"""What people read: links lead somewhere, every page is in the index, versions are one."""

import itertools
import re
import tomllib
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from markdown_it import MarkdownIt

from winit.sweep.config import Where, valid
from winit.sweep.fields import Model
from winit.sweep.settings import ClusterSettings

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md")), ROOT / "results/README.md"]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def tokens(page):
    """Everything on a page, blocks and what is in their lines."""
    for block in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        yield block
        yield from block.children or ()


def links(page):
    """Where a page leads, to pages and pictures."""
    for token in tokens(page):
        target = token.attrGet("href") or token.attrGet("src")
        if target:
            yield str(target)


def anchors(page):
    """The names that GitHub gives a page's headings."""
    names = []
    for heading, text in itertools.pairwise(tokens(page)):
        if heading.type == "heading_open":
            said = "".join(part.content for part in text.children if part.type in {"text", "code_inline"})
            name = re.sub(r"[^\w\- ]", "", said.lower()).replace(" ", "-")
            earlier = sum(re.sub(r"-\d+$", "", other) == name for other in names)
            names.append(f"{name}-{earlier}" if earlier else name)
    return names


def broken(page, root=ROOT):
    """The links of a page that lead nowhere within the project."""
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = page.parent / unquote(parts.path) if parts.path else page
        there = target.exists() and target.resolve().is_relative_to(root)
        if not there or (parts.fragment and unquote(parts.fragment) not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    assert list(broken(page)) == []


def test_links_that_lead_nowhere_are_noticed(tmp_path):
    page = tmp_path / "page.md"
    text = """# A `b` c, d
## Twice
## Twice
[1](#a-b-c-d) [2](#twice-1) [3](#twice-2) [4](none.md) ![5](page.md#none) [6](page.md#twice) [7](/etc)
"""
    page.write_text(text)
    assert list(broken(page, tmp_path)) == ["#twice-2", "none.md", "page.md#none", "/etc"]


def test_the_pages_have_links_to_look_at():
    assert {ROOT / "README.md", ROOT / "docs/cluster.md", ROOT / "results/README.md"} <= set(PAGES)
    assert sum(len(list(links(page))) for page in PAGES) > 100


def test_the_index_leads_to_every_page():
    index = ROOT / "docs/README.md"
    named = {(index.parent / urlsplit(link).path).resolve() for link in links(index)}
    assert set(PAGES) - {index, ROOT / "CHANGELOG.md"} <= named


def configs(name):
    """The YAML blocks of a page."""
    for token in tokens(ROOT / "docs" / name):
        if token.type == "fence" and token.info == "yaml":
            yield yaml.safe_load(token.content)


def test_the_page_about_clusters_shows_the_defaults_and_valid_settings():
    first, *others = configs("cluster.md")
    assert valid(Where, first, "cluster.md") == Where()
    keys = {name for name, section in ClusterSettings() if not isinstance(section, Model)} | {"batch", "tls"}
    assert set(first["cluster"]) == keys
    assert [valid(Where, other, "cluster.md").cluster.kind for other in others] == ["address"]


def test_the_changelog_begins_with_the_version_of_the_package():
    versions = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert next(version for version in versions if version != "Unreleased") == VERSION


def test_who_cites_it_names_the_version_and_the_licence_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == VERSION
    assert citation["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    (author,) = citation["authors"]
    assert author["name"] in (ROOT / "LICENSE").read_text()
