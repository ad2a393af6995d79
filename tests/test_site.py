"""The site is whole: every link leads somewhere, and a browser without a network shows every page complete."""

import collections
import html.parser
import os
import pathlib
import shutil
import urllib.parse

import pytest


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.images = collections.Counter(), [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if "id" in attributes:
            self.ids[attributes["id"]] += 1
        if tag in {"a", "link"} and attributes.get("href"):
            self.links.append(attributes["href"])
        if tag in {"img", "script"} and attributes.get("src"):
            self.links.append(attributes["src"])
        if tag == "img":
            self.images.append(attributes)


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}


def test_links_and_anchors_lead_somewhere(site, pages):
    dead = []
    for name, page in pages.items():
        for link in page.links:
            url = urllib.parse.urlsplit(link)
            if url.scheme or url.netloc:
                continue
            path = pathlib.PurePosixPath(name).parent / urllib.parse.unquote(url.path) if url.path else pathlib.PurePosixPath(name)
            target = pathlib.Path(os.path.normpath(site / path))
            anchor = urllib.parse.unquote(url.fragment)
            key = os.path.relpath(target, site).replace(os.sep, "/")
            if not target.is_file() or (anchor and key in pages and anchor not in pages[key].ids):
                dead.append(f"{name}: {link}")
    assert not dead


def test_ids_are_unique_and_pictures_described(pages):
    assert not {name: [i for i, n in page.ids.items() if n > 1] for name, page in pages.items() if max(page.ids.values()) > 1}
    assert not [(name, image["src"]) for name, page in pages.items() for image in page.images if not image.get("alt")]


def test_notebooks_can_be_downloaded(site):
    for chapter in ("softmax", "rnn"):
        assert (site / "_sources" / f"{chapter}.ipynb").is_file()


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sync_playwright = None
    if chromium is None or sync_playwright is None:
        missing = "needs Chromium and the `browser` extra"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"])


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_complete_without_a_network(site, pages, browser, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    problems = []
    for name in pages:
        tab = context.new_page()
        tab.on("request", lambda request: request.url.startswith(("file:", "data:")) or problems.append((name, request.url)))
        tab.on("requestfailed", lambda request: problems.append((name, "failed", request.url)))
        tab.on("console", lambda message: message.type == "error" and problems.append((name, message.text)))
        tab.on("pageerror", lambda error: problems.append((name, str(error))))
        tab.goto((site / name).as_uri(), wait_until="load")
        if tab.evaluate("document.querySelectorAll('.katex-error').length"):
            problems.append((name, "a formula that KaTeX could not set"))
        overflow = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if overflow > 0:
            problems.append((name, f"{overflow} pixels wider than the window"))
        fonts = tab.evaluate("document.fonts.ready.then(f => [...f].filter(x => x.status == 'error').map(x => x.family))")
        problems += [(name, "font", font) for font in fonts]
        tab.close()
    context.close()
    assert not problems
